"""Where a file's bytes come from: `resolve`, its same-origin redirect for small files, and the CDN for LFS
files.

As on the live Hub, `resolve` itself sends nothing: a small file is behind a relative 307 that still needs
the token, an LFS file behind an absolute 302 to another origin that must not get it.
"""

from urllib.parse import quote, urlencode

from dev.origins.hub import access, cas
from dev.origins.hub.repository import Commit, File, Repository
from dev.origins.hub.routing import Call, Route, route
from dev.origins.serving.messages import Answer, Role
from dev.origins.serving.ranges import file_answer

TAIL = "/{org}/{name}/{revision}/{path:.+}"
SMALL = "/api/resolve-cache/{kind:models|datasets}" + TAIL
CDN = "/repos/{kind:models|datasets}" + TAIL


def routes() -> list[Route]:
    """The Hub's routes."""
    resolved = "/{org}/{name}/resolve/{revision}/{path:.+}"
    return [
        route("GET", "/{kind:datasets}" + resolved, Role.RESOLVE, resolve),
        route("GET", resolved, Role.RESOLVE, resolve),
        route("GET", SMALL, Role.DATA, small),
    ]


def cdn_routes() -> list[Route]:
    """The CDN's route; it may be served by the Hub's own listener too."""
    return [route("GET", CDN, Role.DATA, cdn)]


def resolve(call: Call) -> Answer:
    """Answer where a file is, and of which commit, size and digest."""
    repository, commit, file = access.file_of(call)
    headers = {
        "X-Repo-Commit": commit.sha,
        "X-Linked-Size": str(file.size),
        "X-Linked-ETag": f'"{file.etag}"',
        "ETag": f'"{file.etag}"',
        "Accept-Ranges": "bytes",
    }
    if repository.xet and file.lfs:
        headers |= cas.headers(call, repository, commit.sha, file)
    status, location = _location(call, repository, commit, file)
    text = f"Redirecting to {location.split('?', maxsplit=1)[0]}"
    answer = Answer.of(text.encode(), status=status, kind="text/plain", Location=location)
    answer.headers |= headers
    return answer


def _location(call: Call, repository: Repository, commit: Commit, file: File) -> tuple[int, str]:
    tail = f"/{repository.kind}s/{repository.id}/{commit.sha}/{quote(file.path)}"
    if not file.lfs:
        return 307, f"/api/resolve-cache{tail}?{urlencode({call.request.path: '', 'etag': file.etag})}"
    signed = f"/repos/{repository.kind}s/{repository.id}/{commit.sha}/{file.path}"
    return 302, f"{call.origin(call.state.cdn_port)}/repos{tail}?{call.state.signer.query(signed)}"


def small(call: Call) -> Answer:
    """Send a small file to those who may read it."""
    _, commit, file = access.file_of(call)
    answer = file_answer(call.state.object(file), call.request)
    answer.headers["X-Repo-Commit"] = commit.sha
    return answer


def cdn(call: Call) -> Answer:
    """Send a file to anyone who has a signed URL for it, without a token."""
    return file_answer(call.state.object(access.signed_file(call)), call.request)
