"""The Hub's metadata routes: information, tree with pages, paths, references."""

import asyncio
import contextlib
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from dev.origins.hub import access, describe, errors
from dev.origins.hub.state import STATE

REPOSITORY = "/api/{kind:models|datasets}/{org}/{name}"


def routes() -> list[web.RouteDef]:
    """All routes of this module."""
    return [
        web.get(REPOSITORY, information),
        web.get(REPOSITORY + "/revision/{revision}", information),
        web.get(REPOSITORY + "/tree/{revision}", tree),
        web.get(REPOSITORY + "/tree/{revision}/{folder:.*}", tree),
        web.post(REPOSITORY + "/paths-info/{revision}", paths),
        web.get(REPOSITORY + "/refs", references),
    ]


async def information(request: web.Request) -> web.Response:
    """Answer what the repository is, at a revision."""
    repository = access.repository_of(request)
    commit = access.commit_of(request, repository)
    return web.json_response(describe.information(repository, commit, blobs=_flag(request, "blobs")))


async def tree(request: web.Request) -> web.StreamResponse:
    """Answer one page of a tree; the `Link` header leads to the next one."""
    repository = access.repository_of(request)
    commit = access.commit_of(request, repository)
    folder = request.match_info.get("folder", "").strip("/")
    recursive, expand = _flag(request, "recursive"), _flag(request, "expand")
    entries = describe.tree(repository, commit, folder, recursive=recursive, expand=expand)
    if folder and not entries:
        raise errors.entry_not_found(folder)
    size = min(request.app[STATE].page_size, int(request.query.get("limit", 1000)))
    start = int(request.query.get("cursor", 0))
    headers = {}
    if start + size < len(entries):
        headers["Link"] = f'<{_with_cursor(request, start + size)}>; rel="next"'
    await asyncio.sleep(request.app[STATE].page_seconds)
    page = web.json_response(entries[start : start + size], headers=headers)
    return await _dripping(request, page) if request.app[STATE].drip == repository.id else page


async def _dripping(request: web.Request, page: web.Response) -> web.StreamResponse:
    """The page, a byte a half second."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    assert isinstance(page.body, bytes)
    with contextlib.suppress(ConnectionResetError):  # the client has had enough
        for byte in page.body:
            await response.write(bytes([byte]))
            await asyncio.sleep(0.5)
    return response


def _with_cursor(request: web.Request, cursor: int) -> str:
    query = [(key, value) for key, value in parse_qsl(request.query_string) if key != "cursor"]
    path = request.rel_url.raw_path
    return f"{request.scheme}://{request.host}{path}?{urlencode([*query, ('cursor', str(cursor))])}"


async def paths(request: web.Request) -> web.Response:
    """Answer what is known of the paths in a form or a JSON document."""
    repository = access.repository_of(request)
    commit = access.commit_of(request, repository)
    if request.content_type == "application/json":
        document = await request.json()
        wanted, expand = document["paths"], bool(document.get("expand"))
    else:
        form = await request.post()
        wanted = [str(value) for value in form.getall("paths", [])]
        expand = str(form.get("expand", "")).lower() == "true"
    return web.json_response(describe.paths(repository, commit, wanted, expand=expand))


async def references(request: web.Request) -> web.Response:
    """Answer branches and tags."""
    return web.json_response(describe.references(access.repository_of(request)))


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("1", "true")
