"""JSON schemas made from the configuration's model: of a document, for editors, and of the chart's value
`config`."""

import functools
import json
import re
from pathlib import Path
from typing import Any

from modelsync.settings.configuration import API_VERSION, KIND, Configuration
from modelsync.settings.moved import VALUES

Schema = dict[str, Any]
CHART = Path(__file__).resolve().parents[2] / "charts" / "modelsync" / "values.schema.json"
OF_THE_CHART = {"worker.image": "", "worker.imagePullPolicy": ""}
"""Defaults that the chart has in place of the model's: empty ones say that the operator's own are taken."""
_DROPPED = ("title", "default")


def document() -> str:
    """The schema of a document."""
    made = _plain()
    head = {"apiVersion": {"const": API_VERSION}, "kind": {"const": KIND}}
    made["properties"] = {**head, **made["properties"]}
    made["required"] = [*head, "worker"]
    made["properties"]["worker"]["required"] = ["image"]
    whole = {"$schema": "http://json-schema.org/draft-07/schema#", "title": KIND, **made}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def chart() -> str:
    """values.schema.json with its generated parts made again; the rest is written by hand."""
    text = CHART.read_text(encoding="utf-8")
    made = _plain()
    for path in OF_THE_CHART:
        field = _at(made, path)
        if "enum" in field:
            field["enum"] = [*field["enum"], ""]
    for path in ("metrics.port", "health.port"):
        _at(made, path)["minimum"] = 1  # a Service needs to know it
    top = {name: _moved(to) for name, to in VALUES.items() if "." not in name}
    for name, to in VALUES.items():
        if "." in name:
            made["properties"][name.partition(".")[2]] = _moved(to)
    for name, schema in {"config": made, **top}.items():
        text = _replaced(text, name, schema)
    return text


def meaning(path: str) -> str:
    """What a field says, on one line."""
    return str(_at(_read_only(), path)["description"])


@functools.cache
def _read_only() -> Schema:
    return _plain()


def _moved(to: str) -> Schema:
    """Helm shows the constant to the person who sets the value: `value must be '…'`."""
    return {"const": f"moved: set {to}"}


def _replaced(text: str, name: str, schema: Schema) -> str:
    """The file with the top-level property of this name written again, by its indentation."""
    written = json.dumps(schema, indent=2, ensure_ascii=False).replace("\n", "\n    ")
    pattern = rf'^    "{name}": \{{(?:[^\n]*\}}|.*?^    \}})(,?)$'
    made, count = re.subn(
        pattern, lambda found: f'    "{name}": {written}{found[1]}', text, count=1, flags=re.M | re.S
    )
    if not count:
        raise ValueError(f"values.schema.json has no property {name} to replace")
    return made


def _plain() -> Schema:
    """The model's schema without references, and without words for other readers."""
    made = Configuration.model_json_schema()
    definitions = made.pop("$defs")
    cleaned: Schema = _clean(made, definitions)
    return cleaned


def _clean(node: Any, definitions: Schema) -> Any:
    if isinstance(node, list):
        return [_clean(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        whole = {**definitions[node["$ref"].rpartition("/")[2]], **node}
        del whole["$ref"]
        return _clean(whole, definitions)
    made: Schema = {}
    for name, value in node.items():
        if name == "properties":
            made[name] = {field: _clean(schema, definitions) for field, schema in value.items()}
        elif name not in _DROPPED and not name.startswith("x-kubernetes"):
            made[name] = _clean(value, definitions)
    if "description" in made:
        made["description"] = " ".join(str(made["description"]).split())
    return made


def _at(schema: Schema, path: str) -> Schema:
    for word in path.split("."):
        schema = schema["properties"][word]
    return schema
