"""The Hub's metadata routes: information, tree with pages, paths, references."""

import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from dev.origins.hub import access, describe, errors
from dev.origins.hub.routing import Call, Route, route
from dev.origins.serving.messages import Answer, Role

REPOSITORY = "/api/{kind:models|datasets}/{org}/{name}"


def routes() -> list[Route]:
    """All routes of this module."""
    return [
        route("GET", REPOSITORY, Role.INFORMATION, information),
        route("GET", REPOSITORY + "/revision/{revision}", Role.INFORMATION, information),
        route("GET", REPOSITORY + "/tree/{revision}", Role.LIST, tree),
        route("GET", REPOSITORY + "/tree/{revision}/{folder:.*}", Role.LIST, tree),
        route("POST", REPOSITORY + "/paths-info/{revision}", Role.INFORMATION, paths),
        route("GET", REPOSITORY + "/refs", Role.INFORMATION, references),
    ]


def document(value: Any, **headers: str) -> Answer:
    """A JSON document."""
    answer = Answer.of(json.dumps(value).encode())
    answer.headers |= {name.replace("_", "-"): text for name, text in headers.items()}
    return answer


def information(call: Call) -> Answer:
    """Answer what the repository is, at a revision."""
    repository = access.repository_of(call)
    commit = access.commit_of(call, repository)
    return document(describe.information(repository, commit, blobs=call.flag("blobs")))


def tree(call: Call) -> Answer:
    """Answer one page of a tree; the `Link` header leads to the next one."""
    repository = access.repository_of(call)
    commit = access.commit_of(call, repository)
    folder = call.match.get("folder", "").strip("/")
    entries = describe.tree(
        repository, commit, folder, recursive=call.flag("recursive"), expand=call.flag("expand")
    )
    if folder and not entries:
        raise errors.entry_not_found(folder)
    size = min(call.state.page_size, int(call.request.query.get("limit", 1000)))
    start = int(call.request.query.get("cursor", 0))
    answer = document(entries[start : start + size])
    if start + size < len(entries):
        answer.headers["Link"] = f'<{_with_cursor(call, start + size)}>; rel="next"'
    return answer


def _with_cursor(call: Call, cursor: int) -> str:
    path, _, given = call.request.target.partition("?")
    query = [(key, value) for key, value in parse_qsl(given) if key != "cursor"]
    return f"{call.origin()}{path}?{urlencode([*query, ('cursor', str(cursor))])}"


def paths(call: Call) -> Answer:
    """Answer what is known of the paths in a form or a JSON document."""
    repository = access.repository_of(call)
    commit = access.commit_of(call, repository)
    if call.request.headers.get("content-type", "").startswith("application/json"):
        wanted = json.loads(call.request.body)
        names, expand = wanted["paths"], bool(wanted.get("expand"))
    else:
        form = parse_qs(call.request.body.decode())
        names, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
    return document(describe.paths(repository, commit, names, expand=expand))


def references(call: Call) -> Answer:
    """Answer branches and tags."""
    return document(describe.references(access.repository_of(call)))
