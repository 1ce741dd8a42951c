"""Xet's side of the server: a repository's token, the reconstruction of a file, the bytes of xorbs.

As on the live Hub, three parties: the Hub gives who may read a repository a short token, the CAS answers to
it of which xorbs a file consists, and a signed URL gives their bytes to whoever holds it, without any token.
"""

import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qs, quote

from aiohttp import web

from dev.origins.hub import access, errors, ranges, sending, xorbs
from dev.origins.hub.repository import File, Kind, Repository
from dev.origins.hub.state import STATE

TOKEN = "/api/{kind:models|datasets}/{org}/{name}/xet-read-token/{revision}"
RECONSTRUCTION = "/{version:v1|v2}/reconstructions/{hash}"
XORB = "/xorbs/{kind:models|datasets}/{org}/{name}/{revision}/{number:\\d+}/{path:.+}"
PREFIXES = ("/v1/", "/v2/", "/xorbs/")
"""What the paths of the CAS begin with."""
Document = dict[str, Any]


def routes() -> list[web.RouteDef]:
    """The Hub's route."""
    return [web.get(TOKEN, token)]


def cas_routes() -> list[web.RouteDef]:
    """The CAS's routes; they may be served by the Hub's own listener too."""
    return [web.get(RECONSTRUCTION, reconstruction), web.get(XORB, xorb)]


def headers(request: web.Request, repository: Repository, sha: str, file: File) -> dict[str, str]:
    """What `resolve` adds for a file in Xet: its hash there, where to get a token, and where to use it."""
    name = xorbs.xet_hash(file)
    route = f"{request.url.origin()}/api/{repository.kind}s/{repository.id}/xet-read-token/{sha}"
    info = f"{_origin(request)}/v1/reconstructions/{name}"
    link = f'<{route}>; rel="xet-auth", <{info}>; rel="xet-reconstruction-info"'
    return {"X-Xet-Hash": name, "X-Xet-Refresh-Route": route, "Link": link}


def _origin(request: web.Request) -> str:
    return str(request.url.origin().with_port(request.app[STATE].cas_port or request.url.port))


async def token(request: web.Request) -> web.Response:
    """Give a token for a repository's xorbs to those who may read its files."""
    state, repository = request.app[STATE], access.readable(request)
    access.commit_of(request, repository)
    if not repository.xet:
        raise errors.HubError(404, "The repository is not in Xet storage")
    path = f"/{repository.kind}s/{repository.id}"
    given = f"{path}?{state.signer.query(path)}"
    expires = int(time.time() + state.signer.lifetime)
    return web.json_response(
        {"accessToken": given, "exp": expires, "casUrl": _origin(request)},
        headers={
            "X-Xet-Access-Token": given,
            "X-Xet-Token-Expiration": str(expires),
            "X-Xet-Cas-Url": _origin(request),
        },
    )


async def reconstruction(request: web.Request) -> web.Response:
    """Tell of which chunks of which xorbs a file or a range of it consists, and where to fetch them."""
    repository = _repository(request)
    found = _file(repository, request.match_info["hash"])
    if found is None:
        raise errors.HubError(404, "File not found")
    sha, file = found
    span = ranges.select(request.headers, file.size, "")
    if span.status == 416:
        raise errors.HubError(416, "The range is beyond the end of the file")
    described = _described(file, span, lambda number: _signed(request, repository, sha, file, number))
    return web.json_response(described[request.match_info["version"]])


def _repository(request: web.Request) -> Repository:
    """The repository that the CAS token opens."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    path, _, query = given.partition("?")
    if not _valid(request, path, query):
        raise errors.HubError(401, "Unauthorized")
    kind, _, name = path.removeprefix("/").partition("/")
    return request.app[STATE].repositories[cast(Kind, kind.removesuffix("s")), name]


def _valid(request: web.Request, path: str, query: str) -> bool:
    given = parse_qs(query)
    expires, signature = given.get("Expires", [""])[0], given.get("Signature", [""])[0]
    return request.app[STATE].signer.valid(path, expires, signature)


def _file(repository: Repository, name: str) -> tuple[str, File] | None:
    """A file by its hash in Xet, and a commit that has it."""
    for sha, commit in repository.commits.items():
        for file in commit.files.values():
            if file.lfs and xorbs.xet_hash(file) == name:
                return sha, file
    return None


def _described(file: File, span: ranges.Span, url: Callable[[int], str]) -> dict[str, Document]:
    """The answer in both versions of the API, which differ in how they put what to fetch."""
    terms, first, second = [], {}, {}
    for term in xorbs.terms(file.size, span.start, span.end):
        name = f"{term.number:08x}{xorbs.xet_hash(file)[8:]}"
        chunks = {"start": term.first, "end": term.end}
        stored = dict(zip(("start", "end"), term.stored, strict=True))
        terms.append({"hash": name, "unpacked_length": term.length, "range": chunks})
        where = url(term.number)
        first[name] = [{"range": chunks, "url": where, "url_range": stored}]
        second[name] = [{"url": where, "ranges": [{"chunks": chunks, "bytes": stored}]}]
    same = {"offset_into_first_range": span.start % xorbs.CHUNK, "terms": terms}
    return {"v1": {**same, "fetch_info": first}, "v2": {**same, "xorbs": second}}


def _signed(request: web.Request, repository: Repository, sha: str, file: File, number: int) -> str:
    head = f"/xorbs/{repository.kind}s/{repository.id}/{sha}/{number}"
    query = request.app[STATE].signer.query(f"{head}/{file.path}")
    return f"{_origin(request)}{head}/{quote(file.path)}?{query}"


async def xorb(request: web.Request) -> web.StreamResponse:
    """Send bytes of a xorb to who holds a signed URL; no token is looked at."""
    if not _valid(request, request.path, request.query_string):
        return sending.denied()
    number = int(request.match_info["number"])
    file = access.signed_file(request)
    if file is None or number * xorbs.XORB >= file.size:
        raise errors.HubError(404, "NoSuchKey")
    return await sending.send(request, file, {}, lambda body: xorbs.Xorb(original=body, number=number))
