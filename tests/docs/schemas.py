"""The schemas against which the YAML of the documentation is checked without a cluster.

The CRDs' own schemas are closed here (an unknown field is an error), as the API server's strict validation
treats them. Rules in CEL need the API server: tests/api/test_crd_examples.py.
"""

import functools
import json
from typing import Any

import jsonschema
import yaml

from modelsync.api import crd
from tests.docs.pages import ROOT

CRDS = {"ModelSync": crd.sync_crd, "SyncQueue": crd.queue_crd}
VALUES = json.loads((ROOT / "charts/modelsync/values.schema.json").read_text())
CONFIGURATION = json.loads((ROOT / "docs/reference/operator-configuration.schema.json").read_text())
DEFAULTS = yaml.safe_load((ROOT / "charts/modelsync/values.yaml").read_text())


def errors(kind: str, document: Any, *, partial: bool = False) -> list[str]:
    """What is wrong with a ModelSync or SyncQueue, or with a part of one."""
    return _errors(_closed(kind, partial=partial), document)


def errors_of_values(document: Any) -> list[str]:
    """What is wrong with values of the chart."""
    return _errors(VALUES, document)


def errors_of_configuration(document: Any) -> list[str]:
    """What is wrong with the operator's configuration."""
    return _errors(CONFIGURATION, document)


def has_field(kind: str, path: str) -> bool:
    """Whether a dotted path, with or without `[…]`, is a field of the kind."""
    node: Any = _schema(kind)
    for part in path.replace("[]", "").split("."):
        node = node.get("items", node)
        if part in node.get("properties", {}):
            node = node["properties"][part]
        elif isinstance(node.get("additionalProperties"), dict):
            node = node["additionalProperties"]
        else:
            return False
    return True


@functools.cache
def _schema(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = CRDS[kind]()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


@functools.cache
def _closed(kind: str, *, partial: bool) -> dict[str, Any]:
    schema: dict[str, Any] = _close(json.loads(json.dumps(_schema(kind))), partial=partial)
    top = schema["properties"]
    for name in ("apiVersion", "kind", "metadata"):
        top[name] = {}
    return schema


def _close(node: Any, *, partial: bool) -> Any:
    if isinstance(node, list):
        return [_close(one, partial=partial) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _close(value, partial=partial) for key, value in node.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    if partial and isinstance(made.get("required"), list):
        del made["required"]
    return made


def _errors(schema: dict[str, Any], document: Any) -> list[str]:
    checker = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(schema)
    return [f"{found.json_path}: {found.message}" for found in checker.iter_errors(document)]
