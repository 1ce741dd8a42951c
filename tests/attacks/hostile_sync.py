"""ModelSyncs that have a script in every string that the CRD lets them carry, that their Events say and that
their workers log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelsync.api import crd, naming
from modelsync.api.reasons import Phase

_PHASES = {"huggingFace": Phase.DOWNLOADING, "s3": Phase.FAILED, "http": Phase.COMPLETE}
"""One for each kind of source, in states that show different parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A ModelSync, and where its scripts are."""

    name: str
    sync: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    log: str
    places: Mapping[int, str]
    """Paths of the strings, by the number that their script calls `hit` with."""


def script(number: int) -> str:
    """Markup that runs wherever it is taken for a part of a page: text, attribute, script or link."""
    hit = f"hit({number})"
    return (
        f"\"'><img data-hostile src=x onerror={hit}><svg onload={hit}><script>{hit}</script>javascript:{hit}"
    )


def every() -> list[Hostile]:
    """One for each kind of source, and one whose phase is a script."""
    found = [_made(f"hostile-{source.lower()}", source, phase) for source, phase in _PHASES.items()]
    return [*found, _made("hostile-phase", "huggingFace", None)]


def _made(name: str, source: str, phase: Phase | None) -> Hostile:
    schema = crd.sync_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    places: dict[int, str] = {}
    spec, status = (_filled(schema[part], part, places) for part in ("spec", "status"))
    spec["source"] = {source: spec["source"][source]}
    spec |= {"suspend": False, "cancel": False}
    ready, other = (
        status["conditions"][0],
        _filled(schema["status"]["properties"]["conditions"]["items"], "other", places),
    )
    status["conditions"] = [{**ready, "type": "Ready", "status": "False"}, other]
    status |= {"observedGeneration": 1} | ({} if phase is None else {"phase": phase})
    labels = {_marked("metadata.labels key", places): _marked("metadata.labels", places)}
    annotations = {_marked("metadata.annotations key", places): _marked("metadata.annotations", places)}
    meta = {
        "name": name,
        "namespace": "a",
        "uid": _marked("metadata.uid", places),
        "generation": 1,
        "creationTimestamp": "2026-03-14T12:00:00Z",
        "labels": labels,
        "annotations": annotations,
        "finalizers": [_marked("metadata.finalizers", places)],
    }
    sync = {
        "apiVersion": naming.API_VERSION,
        "kind": naming.SYNC_KIND,
        "metadata": meta,
        "spec": spec,
        "status": status,
    }
    events = tuple(_event(said, name, meta["uid"], places) for said in ("message", "note"))
    log = "".join(f"{_marked(f'line {number} of the log', places)}\n" for number in (1, 2))
    others = tuple(f"spec.source.{other}." for other in _PHASES if other != source)
    carried = {number: path for number, path in places.items() if not path.startswith(others)}
    return Hostile(name=name, sync=sync, events=events, log=log, places=carried)


def _event(said: str, name: str, uid: object, places: dict[int, str]) -> dict[str, Any]:
    """An Event of `v1`, which says its `message`, or with the field of `events.k8s.io`, its `note`."""
    texts = ("type", "reason", said, "action", "reportingComponent", "reportingInstance")
    return {
        "metadata": {"name": _marked("Event.metadata.name", places), "namespace": "a"},
        "involvedObject": {"kind": naming.SYNC_KIND, "namespace": "a", "name": name, "uid": uid},
        "lastTimestamp": "2026-03-14T12:00:00Z",
        **{field: _marked(f"Event.{field}", places) for field in texts},
    }


def _marked(path: str, places: dict[int, str]) -> str:
    number = len(places)
    places[number] = path
    return script(number)


def _filled(schema: Mapping[str, Any], path: str, places: dict[int, str]) -> Any:
    """A value with every field of a schema."""
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        found = {
            name: _filled(each, f"{path}.{name}", places)
            for name, each in schema.get("properties", {}).items()
        }
        if isinstance(values := schema.get("additionalProperties"), dict):
            found[_marked(f"{path} key", places)] = _filled(values, f"{path} value", places)
        return found
    if kind == "array":
        return [_filled(schema["items"], f"{path}[]", places)]
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if schema.get("format") == "date-time":
        return "2026-03-14T12:00:00Z"
    return _marked(path, places)
