"""The chart's share of the configuration: the value `config` with its comments, and what asks for a restart.

The chart's values are where an administrator reads and sets the configuration, so all fields stand there with
their defaults; both are the model's. What is between the two marks in values.yaml is written here.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from dev.docs import configuration_schema
from dev.docs.configuration_schema import OF_THE_CHART
from modelsync.settings.configuration import Configuration, Section, fields, needs_restart, section_of

VALUES = Path(__file__).resolve().parents[2] / "charts" / "modelsync" / "values.yaml"
RESTARTS = VALUES.parent / "files" / "restart-settings.yaml"
_BEGIN = "# The operator's configuration"
_END = "# End of the operator's configuration."
_HEAD = f"""{_BEGIN}, which the chart puts into a ConfigMap (docs/reference/operator.md). It acts while the
# operator runs, but for what says that it restarts it. Made by `python -m dev.docs` from
# operator/modelsync/settings/configuration.py: do not edit it here.
config:
"""
_WIDTH = 120


def values() -> str:
    """values.yaml with the configuration's part made again; the rest is written by hand."""
    text = VALUES.read_text(encoding="utf-8")
    block = _HEAD + "\n".join(_lines(Configuration, "", "  ")) + f"\n{_END}\n"
    made, count = re.subn(f"^{_BEGIN}.*?^{_END}\n", lambda _: block, text, flags=re.M | re.S)
    if count != 1:
        raise ValueError(f"values.yaml needs the lines {_BEGIN!r} and {_END!r} once")
    return made


def restarts() -> str:
    """Paths of the fields whose change restarts the operator, for the Deployment's checksum."""
    head = "# Made by `python -m dev.docs`: fields that the operator reads at its start only.\n"
    paths = [path for path, info in fields() if needs_restart(info)]
    return head + yaml.safe_dump(paths, default_flow_style=False)


def default(path: str) -> Any:
    """A field's default as a document has it; absent ones are None."""
    found: Any = dict(fields())[path].get_default(call_default_factory=True)
    return found.model_dump(by_alias=True, exclude_none=True) if isinstance(found, BaseModel) else found


def _lines(section: type[Section], path: str, indent: str) -> Iterator[str]:
    for name, info in section.model_fields.items():
        key = info.alias or name
        whole = f"{path}.{key}" if path else key
        inside = section_of(info)
        if inside is not None:
            yield f"{indent}{key}:"
            yield from _lines(inside, whole, f"{indent}  ")
            continue
        yield from _comment(meaning(whole, chart=True), f"{indent}# -- ")
        yield f"{indent}{key}: {_written(OF_THE_CHART.get(whole, default(whole)))}"


def meaning(path: str, *, chart: bool = False) -> str:
    """What a field says, on one line."""
    words = [configuration_schema.meaning(path)]
    if chart and path in OF_THE_CHART:
        words.append("The operator's when empty.")
    if chart and needs_restart(dict(fields())[path]):
        words.append("A change restarts the operator.")
    return " ".join(words)


def _comment(text: str, mark: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=mark, subsequent_indent=mark, break_on_hyphens=False)


def _written(value: Any) -> str:
    """A value on one line, in the style of values.yaml."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    plain = text.removesuffix("\n").removesuffix("\n...")
    return json.dumps(value) if value == "" else plain.replace("'", '"')
