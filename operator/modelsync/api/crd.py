"""CustomResourceDefinitions from the pydantic models: one source for schema, validation and documentation.

Kubernetes wants a *structural* schema (no $ref, no titles, no null types, list types named), which is what
`structural` makes of pydantic's JSON Schema.
"""

from typing import Any

from modelsync.api import naming
from modelsync.api.common.base import Value
from modelsync.api.modelsync import ModelSync
from modelsync.api.syncqueue import SyncQueue

_DROPPED = {"title", "$defs", "discriminator", "const"}

_SYNC_COLUMNS = (
    ("Phase", "string", ".status.phase", 0),
    ("Progress", "string", ".status.display.progress", 0),
    ("Speed", "string", ".status.display.speed", 0),
    ("ETA", "string", ".status.display.eta", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Size", "string", ".status.display.size", 1),
    ("Source", "string", ".status.display.source", 1),
    ("Target", "string", ".status.display.target", 1),
    ("Observed", "date", ".status.progress.observedTime", 1),
    ("Queue", "string", ".spec.queue", 1),
    ("Position", "integer", ".status.queue.position", 1),
    ("Attempts", "integer", ".status.attempts", 1),
    ("Node", "string", ".status.worker.nodeName", 1),
    ("Stage", "string", ".status.display.stage", 1),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
)
_QUEUE_COLUMNS = (
    ("Max", "integer", ".spec.maxActive", 0),
    ("Active", "integer", ".status.active", 0),
    ("Waiting", "integer", ".status.waiting", 0),
    ("Complete", "integer", ".status.complete", 0),
    ("Failed", "integer", ".status.failed", 0),
    ("Suspended", "boolean", ".spec.suspend", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Per-Namespace", "integer", ".spec.maxActivePerNamespace", 1),
    ("Max-Priority", "integer", ".spec.maxPriority", 1),
    ("Deadline", "integer", ".spec.activeDeadlineSeconds", 1),
    ("Min-Rate", "string", ".spec.minimumRate", 1),
    ("Running", "string", ".status.display.running", 1),
)


def all_crds() -> tuple[dict[str, Any], ...]:
    """Both CustomResourceDefinitions, as JSON data."""
    return (sync_crd(), queue_crd())


def sync_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of ModelSync."""
    return _crd(
        ModelSync,
        plural=naming.SYNC_PLURAL,
        short="msync",
        columns=_SYNC_COLUMNS,
        selectable=(".spec.queue", ".status.phase"),
        required=["spec"],
    )


def queue_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of SyncQueue."""
    return _crd(
        SyncQueue,
        plural=naming.QUEUE_PLURAL,
        short="syncq",
        columns=_QUEUE_COLUMNS,
        selectable=(),
        required=[],
    )


def _crd(
    model: type[Value],
    *,
    plural: str,
    short: str,
    columns: tuple[tuple[str, str, str, int], ...],
    selectable: tuple[str, ...],
    required: list[str],
) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": naming.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*column) for column in columns],
        "schema": {"openAPIV3Schema": _object_schema(model, required)},
    }
    if selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in selectable]
    kind = model.__name__
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{naming.GROUP}"},
        "spec": {
            "group": naming.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                # Not "modelsync": kubectl would take `get modelsync NAME` for the whole category and refuse.
                "categories": ["modelsync-all"],
            },
            "versions": [version],
        },
    }


def _column(name: str, kind: str, path: str, priority: int) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "priority": priority} if priority else column


def _object_schema(model: type[Value], required: list[str]) -> dict[str, Any]:
    """The root schema: spec and status of a model; the API server owns the rest."""
    raw = model.model_json_schema(by_alias=True)
    whole = structural(raw, raw.get("$defs", {}))
    properties = {name: whole["properties"][name] for name in ("spec", "status")}
    if required:
        properties["spec"].pop("default", None)
    properties["status"].pop("default", None)
    schema = {"type": "object", "description": whole["description"], "properties": properties}
    return {**schema, "required": required} if required else schema


def structural(
    node: dict[str, Any], definitions: dict[str, Any], made: dict[int, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """One JSON Schema node of pydantic as a structural schema of Kubernetes.

    `made` are the fields of the models that were met so far: one that is met again has the very same ones,
    which YAML writes once. An affinity's terms would take 30 kB else.
    """
    merged, made = _resolved(node, definitions), {} if made is None else made
    result: dict[str, Any] = {}
    for key, value in merged.items():
        if key in _DROPPED or (key == "default" and not _is_informative(value)):
            continue
        if key == "properties":
            if id(value) not in made:
                made[id(value)] = {name: structural(sub, definitions, made) for name, sub in value.items()}
            result[key] = made[id(value)]
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = structural(value, definitions, made)
        elif key == "patternProperties":  # keys with a pattern; Kubernetes knows no such rule
            (result["additionalProperties"],) = (structural(sub, definitions, made) for sub in value.values())
        else:
            result[key] = _without_absent(value) if key == "default" else value
    return _tidied(result)


def _without_absent(default: Any) -> Any:
    """A default as it is stored; the API server refuses one with a null where the field has no such type."""
    if not isinstance(default, dict):
        return default
    return {key: _without_absent(value) for key, value in default.items() if value is not None}


def _default_words(schema: dict[str, Any]) -> list[str]:
    """The default in words, since `kubectl explain` does not print it."""
    default = schema.get("default")
    if default is None or isinstance(default, dict):
        return []
    return ["Default:", f"{str(default).lower() if isinstance(default, bool) else default}."]


def _is_informative(default: Any) -> bool:
    """Whether a default says more than that the field is absent; only such ones are stored in objects."""
    if isinstance(default, dict):
        return any(_is_informative(value) for value in default.values())
    return default not in (None, "", [])


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The node with $ref inlined and `X | None` reduced to X; the node's own keys win."""
    branches = [b for b in node.get("anyOf", []) if b.get("type") != "null"]
    if "anyOf" in node and len(branches) == 1:
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        return _resolved({**branches[0], **rest}, definitions)
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return _resolved({**target, **rest}, definitions)
    return node


def _tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """Details that pydantic says otherwise than OpenAPI v3.0 as Kubernetes reads it."""
    if "description" in schema:
        schema["description"] = " ".join([*schema["description"].split(), *_default_words(schema)])
    if "x-kubernetes-preserve-unknown-fields" in schema:
        schema.pop("additionalProperties", None)
    if "x-kubernetes-int-or-string" in schema:
        # A length has no meaning beside an integer; the rules bound it.
        schema.pop("maxLength", None)
    if "exclusiveMinimum" in schema:
        schema["minimum"] = schema["exclusiveMinimum"]
        schema["exclusiveMinimum"] = True
    if schema.get("type") == "integer":
        schema.setdefault("format", "int64")
    schema.pop("const", None)
    return schema
