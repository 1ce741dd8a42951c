"""Reading the tables of specs: a row is a base spec with changes, or a whole spec, and what is expected."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML has it: every process of a run reads the tables."""

_CLAIM: Object = {"persistentVolumeClaim": {"claimName": "models"}}
_FILE: Object = {"url": "https://example.org/a.bin", "path": "a.bin"}
BASES: dict[str, Object] = {
    "hub": {"source": {"huggingFace": {"repository": "org/name"}}, "target": _CLAIM},
    "s3": {"source": {"s3": {"bucket": "models"}}, "target": _CLAIM},
    "http": {"source": {"http": {"files": [_FILE]}}, "target": _CLAIM},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of a table."""

    name: str
    kind: str = "ModelSync"
    base: str = ""
    spec: Any = None
    before: Object | None = None
    """Changes to the base before the object is stored (updates only)."""
    change: Object | None = None
    many_files: int = 0
    says: str | list[str] = ""
    stored: Object | None = None

    @property
    def first(self) -> Any:
        """The spec as it is stored before an update."""
        return changed(BASES[self.base], self.before or {})

    @property
    def whole(self) -> Any:
        """The whole spec."""
        if not self.base:
            return self.spec
        spec = changed(BASES[self.base], self.change or {})
        if self.many_files:
            files = [{"url": f"https://example.org/{n}", "path": str(n)} for n in range(self.many_files)]
            spec["source"]["http"]["files"] = files
        return spec

    @property
    def patch(self) -> Object:
        """The change as a JSON merge patch."""
        result: Object = {}
        for path, value in (self.change or {}).items():
            *parents, last = path.split(".")
            place = result
            for name in parents:
                place = place.setdefault(name, {})
            place[last] = value
        return result

    @property
    def lines(self) -> list[str]:
        """What the API server says, a line a cause."""
        return [self.says] if isinstance(self.says, str) else self.says


def table(name: str) -> list[Case]:
    """The rows of one table."""
    text = (Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")
    return [Case(**row) for row in yaml.load(text, _LOADER)]


def at(spec: Any, path: str) -> Any:
    """The value at a dotted path."""
    for name in path.split("."):
        spec = spec[name]
    return spec


def changed(base: Any, change: Object) -> Any:
    """A deep copy of `base` with each dotted path set to its value; None deletes."""
    result = copy.deepcopy(base)
    for path, value in change.items():
        *parents, last = path.split(".")
        place = result
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return result
