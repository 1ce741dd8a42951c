"""Requests for another user's ModelSync, made from the OpenAPI document: new routes are tried at once.

Each request names somebody else's namespace, ModelSync and queue wherever a path, query, header or body has a
place for a name, and every value of what is an enumeration.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

Schema = Mapping[str, Any]
IMPERSONATION = {
    "Impersonate-User": "system:admin",
    "Impersonate-Group": "system:masters",
    "X-Remote-User": "system:admin",
    "X-Forwarded-User": "system:admin",
    "X-Original-URL": "/api/v1/session",
}
"""By which an API server, a proxy or a framework may be led to believe in another caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """What the requests name."""

    namespace: str
    name: str
    queue: str
    label: str
    """A label selector that finds it."""
    version: str
    """Its resourceVersion."""
    event: str = ""
    """An id of its user's stream of events."""
    page: str = ""
    """A `continue` of its user's list."""
    spec: Schema = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        given = ", ".join(f"{name}: {value}" for name, value in self.headers.items())
        return " ".join(
            filter(None, (self.method, self.path, "" if self.body is None else str(self.body), given))
        )


def requests(document: Schema, victim: Victim, tags: Iterable[str] = ("*", '"1"')) -> Iterator[Request]:
    """All of them; writes also on the condition of the victim's version, and of these tags."""
    for path, methods in sorted(document["paths"].items()):
        for method, operation in sorted(methods.items()):
            for request in _of(document, victim, method.upper(), path, operation):
                yield request
                if request.method != "GET":
                    for tag in (f'"{victim.version}"', *tags):
                        yield Request(
                            method=request.method,
                            path=request.path,
                            body=request.body,
                            headers={"If-Match": tag},
                        )


def _of(document: Schema, victim: Victim, method: str, path: str, operation: Schema) -> Iterator[Request]:
    given: dict[str, list[tuple[str, list[str]]]] = {"path": [], "query": [], "header": []}
    for each in operation.get("parameters", ()):
        given[each["in"]].append((each["name"], _texts(document, victim, each["name"], each["schema"])))
    bodies = _bodies(document, victim, operation)
    places = [[(name, value) for value in values] for name, values in given["path"]]
    for chosen, body in itertools.product(itertools.product(*places), bodies):
        filled = path
        for name, value in chosen:
            filled = filled.replace(f"{{{name}}}", quote(value, safe=""))
        yield Request(method=method, path=filled, body=body)
        yield Request(method=method, path=filled, body=body, headers=IMPERSONATION)
        for name, values in given["query"]:
            for value in values:
                yield Request(method=method, path=f"{filled}?{urlencode({name: value})}", body=body)
        if len(given["query"]) > 1:
            all_of_them = urlencode({name: values[0] for name, values in given["query"]})
            yield Request(method=method, path=f"{filled}?{all_of_them}", body=body)
        for name, values in given["header"]:
            for value in values:
                yield Request(method=method, path=filled, body=body, headers={name: value})


def _texts(document: Schema, victim: Victim, name: str, schema: Schema) -> list[str]:
    """The values of a parameter."""
    schema = _plain(document, schema)
    known = {
        "labelSelector": [victim.label, victim.label.partition("=")[0]],
        "last-event-id": [victim.event],
        "continue": [victim.page],
        "phase": ["Downloading", "Failed"],
        "sync": [f"{victim.namespace}/{victim.name}"],
        "queue": [victim.queue],
    }
    if "enum" in schema:
        return list(map(str, schema["enum"]))
    if schema.get("type") == "boolean":
        return ["true", "false"]
    if schema.get("type") in ("integer", "number"):
        return [str(schema.get("maximum", 1))]
    return known.get(name) or [victim.name if name == "name" else victim.namespace]


def _bodies(document: Schema, victim: Victim, operation: Schema) -> list[Any]:
    """Bodies with every field, and with those alone that must be there."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return [None]
    whole, least = (
        _value(document, victim, "", content["schema"], all_fields=each) for each in (True, False)
    )
    return [whole] if whole == least else [whole, least]


def _value(document: Schema, victim: Victim, name: str, schema: Schema, *, all_fields: bool) -> Any:
    known = {
        "namespace": victim.namespace,
        "name": victim.name,
        "spec": victim.spec,
        "phases": ["Failed", "Cancelled"],
        "token": "none",
    }
    if name in known:
        return known[name]
    schema = _plain(document, schema)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        wanted = schema.get("properties", {})
        chosen = wanted if all_fields else schema.get("required", ())
        return {each: _value(document, victim, each, wanted[each], all_fields=all_fields) for each in chosen}
    if kind == "array":
        return [_value(document, victim, "name", schema.get("items", {}), all_fields=all_fields)]
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return schema.get("default", victim.name)


def _plain(document: Schema, schema: Schema) -> Schema:
    """A schema without references and alternatives to null."""
    if "$ref" in schema:
        return _plain(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return _plain(document, next(each for each in schema["anyOf"] if each.get("type") != "null"))
    return schema
