"""Where a file's bytes come from: `resolve`, its same-origin redirect for small files, and the CDN for LFS
files.

As on the live Hub, `resolve` itself sends nothing: a small file is behind a relative 307 that still needs
the token, an LFS file behind an absolute 302 to another origin that must not get it.
"""

from urllib.parse import quote, urlencode

from aiohttp import web

from dev.origins.hub import access, cas, errors, sending
from dev.origins.hub.repository import Commit, File, Repository
from dev.origins.hub.state import STATE

TAIL = "/{org}/{name}/{revision}/{path:.+}"
SMALL = "/api/resolve-cache/{kind:models|datasets}" + TAIL
CDN = "/repos/{kind:models|datasets}" + TAIL


def routes() -> list[web.RouteDef]:
    """The Hub's routes."""
    return [
        web.get("/{org}/{name}/resolve/{revision}/{path:.+}", resolve),
        web.get("/{kind:datasets}/{org}/{name}/resolve/{revision}/{path:.+}", resolve),
        web.get(SMALL, small),
    ]


def cdn_routes() -> list[web.RouteDef]:
    """The CDN's route; it may be served by the Hub's own listener too."""
    return [web.get(CDN, cdn)]


async def resolve(request: web.Request) -> web.Response:
    """Tell where a file is, and of which commit, size and digest."""
    repository, commit, file = access.file_of(request)
    headers = {
        "X-Repo-Commit": commit.sha,
        "X-Linked-Size": str(file.size),
        "X-Linked-ETag": f'"{file.etag}"',
        "ETag": f'"{file.etag}"',
        "Accept-Ranges": "bytes",
    }
    if repository.xet and file.lfs:
        headers |= cas.headers(request, repository, commit.sha, file)
    status, location = _location(request, repository, commit, file)
    text = f"Redirecting to {location.split('?', maxsplit=1)[0]}"
    return web.Response(status=status, text=text, headers={**headers, "Location": location})


def _location(request: web.Request, repository: Repository, commit: Commit, file: File) -> tuple[int, str]:
    tail = f"/{repository.kind}s/{repository.id}/{commit.sha}/{quote(file.path)}"
    if not file.lfs:
        return 307, f"/api/resolve-cache{tail}?{urlencode({request.path: '', 'etag': file.etag})}"
    state = request.app[STATE]
    origin = request.url.origin().with_port(state.cdn_port or request.url.port)
    signed = f"/repos/{repository.kind}s/{repository.id}/{commit.sha}/{file.path}"
    return 302, f"{origin}/repos{tail}?{state.signer.query(signed)}"


async def small(request: web.Request) -> web.StreamResponse:
    """Send a small file to those who may read it."""
    _, commit, file = access.file_of(request)
    return await sending.send(request, file, {"X-Repo-Commit": commit.sha})


async def cdn(request: web.Request) -> web.StreamResponse:
    """Send a file to who holds a signed URL, whoever that is; no token is looked at."""
    state = request.app[STATE]
    expires, signature = request.query.get("Expires", ""), request.query.get("Signature", "")
    if not state.signer.valid(request.path, expires, signature):
        return sending.denied()
    file = access.signed_file(request)
    if file is None:
        raise errors.HubError(404, "NoSuchKey")
    return await sending.send(request, file, {})
