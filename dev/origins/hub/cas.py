"""Xet's side of the server: a repository's token, the reconstruction of a file, the bytes of xorbs.

As on the live Hub, three parties: the Hub gives who may read a repository a short token, the CAS answers to
it of which xorbs a file consists, and a signed URL gives their bytes to anyone who has it, without any token.
"""

import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl, quote

from dev.origins.hub import access, errors, xorbs
from dev.origins.hub.api import document
from dev.origins.hub.repository import File, Kind, Repository
from dev.origins.hub.routing import Call, Route, route
from dev.origins.serving.messages import Answer, Role
from dev.origins.serving.ranges import Span, file_answer, select

TOKEN = "/api/{kind:models|datasets}/{org}/{name}/xet-read-token/{revision}"
RECONSTRUCTION = "/{version:v1|v2}/reconstructions/{hash}"
XORB = "/xorbs/{kind:models|datasets}/{org}/{name}/{revision}/{number:\\d+}/{path:.+}"
PREFIXES = ("/v1/", "/v2/", "/xorbs/")
"""What the paths of the CAS begin with."""
Document = dict[str, Any]


def routes() -> list[Route]:
    """The Hub's route."""
    return [route("GET", TOKEN, Role.XET, token)]


def cas_routes() -> list[Route]:
    """The CAS's routes; they may be served by the Hub's own listener too."""
    return [route("GET", RECONSTRUCTION, Role.XET, reconstruction), route("GET", XORB, Role.DATA, xorb)]


def headers(call: Call, repository: Repository, sha: str, file: File) -> dict[str, str]:
    """What `resolve` adds for a file in Xet: its hash there, where to get a token, and where to use it."""
    name = xorbs.xet_hash(file)
    refresh = f"{call.origin()}/api/{repository.kind}s/{repository.id}/xet-read-token/{sha}"
    info = f"{_origin(call)}/v1/reconstructions/{name}"
    link = f'<{refresh}>; rel="xet-auth", <{info}>; rel="xet-reconstruction-info"'
    return {"X-Xet-Hash": name, "X-Xet-Refresh-Route": refresh, "Link": link}


def _origin(call: Call) -> str:
    return call.origin(call.state.cas_port)


def token(call: Call) -> Answer:
    """Give a token for a repository's xorbs to those who may read its files."""
    signer, repository = call.state.signer, access.readable(call)
    access.commit_of(call, repository)
    if not repository.xet:
        raise errors.HubError(404, "The repository is not in Xet storage")
    path = f"/{repository.kind}s/{repository.id}"
    given = f"{path}?{signer.query(path)}"
    expires = int(time.time() + signer.lifetime)
    return document(
        {"accessToken": given, "exp": expires, "casUrl": _origin(call)},
        X_Xet_Access_Token=given,
        X_Xet_Token_Expiration=str(expires),
        X_Xet_Cas_Url=_origin(call),
    )


def reconstruction(call: Call) -> Answer:
    """Answer of which chunks of which xorbs a file or a range of it consists, and where to fetch them."""
    repository = _repository(call)
    found = _file(repository, call.match["hash"])
    if found is None:
        raise errors.HubError(404, "File not found")
    sha, file = found
    span = select(call.request.headers, file.size, "")
    if span.status == 416:
        raise errors.HubError(416, "The range is beyond the end of the file")
    described = _described(file, span, lambda number: _signed(call, repository, sha, file, number))
    return document(described[call.match["version"]])


def _repository(call: Call) -> Repository:
    """The repository that the CAS token opens."""
    given = call.request.headers.get("authorization", "").removeprefix("Bearer ")
    path, _, query = given.partition("?")
    if not access.valid(call, path, dict(parse_qsl(query))):
        raise errors.HubError(401, "Unauthorized")
    kind, _, name = path.removeprefix("/").partition("/")
    return call.state.repositories[cast(Kind, kind.removesuffix("s")), name]


def _file(repository: Repository, name: str) -> tuple[str, File] | None:
    """A file by its hash in Xet, and a commit that has it."""
    for sha, commit in repository.commits.items():
        for file in commit.files.values():
            if file.lfs and xorbs.xet_hash(file) == name:
                return sha, file
    return None


def _described(file: File, span: Span, url: Callable[[int], str]) -> dict[str, Document]:
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


def _signed(call: Call, repository: Repository, sha: str, file: File, number: int) -> str:
    head = f"/xorbs/{repository.kind}s/{repository.id}/{sha}/{number}"
    query = call.state.signer.query(f"{head}/{file.path}")
    return f"{_origin(call)}{head}/{quote(file.path)}?{query}"


def xorb(call: Call) -> Answer:
    """Send bytes of a xorb to who holds a signed URL; no token is looked at."""
    number = int(call.match["number"])
    file = access.signed_file(call)
    if number * xorbs.XORB >= file.size:
        raise errors.HubError(404, "NoSuchKey")
    found = call.state.object(file)
    return file_answer(found, call.request, lambda body: xorbs.Xorb(original=body, number=number))
