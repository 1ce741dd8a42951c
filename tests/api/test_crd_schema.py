"""Properties of the whole schema that no example shows: bounded, described, bound to one namespace."""

import json
from collections.abc import Iterator
from typing import Any

from tests.api.specs import definitions

Schema = dict[str, Any]
AFFINITY = "ModelSync.spec.podTemplate.affinity."


def _walk(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from _walk(f"{path}.{name}", field)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _walk(f"{path}[]", schema[key])


NODES = {path: node for kind, schema in definitions.schemas().items() for path, node in _walk(kind, schema)}
SPEC = {path: node for path, node in NODES.items() if ".spec" in path}


def test_every_list_says_how_it_merges() -> None:
    lists = [path for path, node in NODES.items() if node.get("type") == "array"]
    assert lists
    assert [path for path in lists if "x-kubernetes-list-type" not in NODES[path]] == []


def test_everything_that_a_user_writes_is_bounded() -> None:
    limits = {"string": ("maxLength", "enum"), "array": ("maxItems",)}
    endless = [
        path
        for path, node in SPEC.items()
        if not any(key in node for key in limits.get(node.get("type", ""), node))
    ]
    maps = [
        path for path, node in SPEC.items() if "additionalProperties" in node and "maxProperties" not in node
    ]
    assert endless + maps == []


def test_every_field_is_described_in_sentences() -> None:
    texts = {path: node.get("description", "") for path, node in NODES.items() if not path.endswith("[]")}
    assert {path: text for path, text in texts.items() if not text.endswith((".", "`"))} == {}


def test_no_reference_can_name_another_namespace() -> None:
    own = [path for path in SPEC if not path.startswith(AFFINITY)]  # there it says whose Pods to run next to
    assert [path for path in own if path.split(".")[-1].lower() in ("namespace", "namespaces")] == []


def test_no_default_holds_a_null() -> None:
    assert not [path for path, node in NODES.items() if "null" in json.dumps(node.get("default"))[1:]]


def test_nothing_is_opaque() -> None:
    assert not [path for path, node in NODES.items() if node.get("x-kubernetes-preserve-unknown-fields")]


def test_everything_that_grows_is_bounded() -> None:
    def is_bounded(node: Schema) -> bool:
        kind, values = node.get("type"), node.get("additionalProperties")
        if kind == "string":
            return "maxLength" in node or "enum" in node or "format" in node
        unbounded = {"maxItems": kind == "array", "maxProperties": bool(values)}
        return not any(grows and bound not in node for bound, grows in unbounded.items())

    assert [path for path, node in SPEC.items() if not is_bounded(node)] == []


def test_a_pod_template_can_run_nothing_of_a_users_own() -> None:
    (template,) = (node for path, node in SPEC.items() if path == "ModelSync.spec.podTemplate")
    assert set(template["properties"]) == {
        "labels",
        "annotations",
        "resources",
        "nodeSelector",
        "tolerations",
        "affinity",
        "imagePullSecrets",
        "priorityClassName",
        "serviceAccountName",
        "runtimeClassName",
        "securityContext",
    }


def test_no_word_of_json_schema_that_kubernetes_refuses_is_left() -> None:
    refused = {"$ref", "$defs", "title", "const", "oneOf", "definitions", "examples", "propertyNames"}
    refused |= {"patternProperties", "prefixItems", "contains", "dependencies", "if", "then", "else", "$id"}
    refused |= {"dependentRequired", "dependentSchemas", "unevaluatedProperties", "additionalItems"}
    assert [path for path, node in NODES.items() if refused & set(node)] == []


def test_no_default_holds_null_which_only_kubectl_leaves_out() -> None:
    defaults = [node["default"] for node in NODES.values() if isinstance(node.get("default"), dict)]
    assert defaults
    assert [default for default in defaults if None in default.values()] == []
