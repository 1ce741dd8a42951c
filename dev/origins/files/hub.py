"""The origin as a Hub: information, tree with pages, resolve, and a CDN on another port."""

import hashlib
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from dev.origins.content import hexdigest
from dev.origins.faults.heads import EXPIRED
from dev.origins.files import listing
from dev.origins.serving.messages import Answer, Object, Request, Role
from dev.origins.serving.ranges import file_answer

if TYPE_CHECKING:
    from dev.origins.files.origin import Origin

REPOSITORY = "org/model"
COMMIT = hashlib.sha1(b"commit", usedforsecurity=False).hexdigest()
_INFORMATION = f"/api/models/{REPOSITORY}"
_RESOLVE = re.compile(rf"/{REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_CDN = "/cdn/"
_SMALL = f"/api/resolve-cache/models/{REPOSITORY}/{COMMIT}/"


def answer(origin: "Origin", request: Request) -> tuple[Role, str, Answer]:
    """What the Hub, or its CDN, answers."""
    if request.listener == "cdn":
        return _cdn(origin, request)
    role, path = _role(request)
    if origin.token and request.headers.get("authorization") != f"Bearer {origin.token}":
        refusal = Answer.of(b"{}", status=401, X_Error_Message="Invalid credentials in Authorization header")
        return role, path, refusal
    if role is Role.INFORMATION:
        return role, path, Answer.of(json.dumps(_information(origin)).encode())
    if role is Role.LIST:
        return role, path, _tree(origin, request)
    if path not in origin.files:
        return role, path, Answer.of(b"{}", status=404, X_Error_Code="EntryNotFound")
    if role is Role.DATA:
        return role, path, file_answer(origin.files[path], request)
    return role, path, _resolved(origin, request, path)


def _role(request: Request) -> tuple[Role, str]:
    if request.path.startswith(f"{_INFORMATION}/tree/"):
        return Role.LIST, ""
    if request.path.startswith(_INFORMATION):
        return Role.INFORMATION, ""
    if request.path.startswith(_SMALL):
        return Role.DATA, request.path.removeprefix(_SMALL)
    found = _RESOLVE.fullmatch(request.path)
    return Role.RESOLVE, found["path"] if found else request.path


def _information(origin: "Origin") -> dict[str, object]:
    return {
        "_id": COMMIT[:24],
        "id": REPOSITORY,
        "modelId": REPOSITORY,
        "sha": COMMIT,
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [{"rfilename": path} for path in origin.files],
    }


def _tree(origin: "Origin", request: Request) -> Answer:
    cursor = int(request.query.get("cursor", 0))
    known = listing.paths(origin.listing, sorted(origin.files), cursor, origin.page_size)
    page = [
        _entry(path, origin.files[path])
        if path in origin.files
        else {"type": "file", "oid": COMMIT, "size": 1, "path": path}
        for path in known
    ]
    following = listing.following(origin.listing, len(origin.files), cursor, origin.page_size)
    answer = Answer.of(json.dumps(page).encode())
    if following is not None:
        where = f"{origin.pages_at or request.base}{request.path}?recursive=true&cursor={following}"
        answer.headers["Link"] = f'<{where}>; rel="next"'
    return answer


def _entry(path: str, found: Object) -> dict[str, object]:
    stated = found.announced
    if not found.lfs:
        return {"type": "file", "oid": hexdigest(stated, "git-sha1"), "size": stated.size, "path": path}
    lfs = {"oid": hexdigest(stated, "sha256"), "size": stated.size, "pointerSize": 130}
    return {"type": "file", "oid": COMMIT, "size": stated.size, "path": path, "lfs": lfs}


def _resolved(origin: "Origin", request: Request, path: str) -> Answer:
    found = origin.files[path]
    headers = {
        "X-Repo-Commit": COMMIT,
        "X-Linked-Size": str(found.announced.size),
        "X-Linked-ETag": f'"{hexdigest(found.announced, "sha256")}"' if found.lfs else found.tag,
        "Content-Length": "0",
    }
    if found.lfs:
        signature = f"canary-signature-{next(origin.signatures)}"
        location = f"{origin.cdn_url}{_CDN}{quote(path)}?Expires=99&Signature={signature}"
        return Answer(status=302, headers={**headers, "Location": location}, found=found)
    prefix = f"/f/{quote(request.faults)}" if request.faults else ""
    return Answer(status=307, headers={**headers, "Location": f"{prefix}{_SMALL}{quote(path)}"}, found=found)


def _cdn(origin: "Origin", request: Request) -> tuple[Role, str, Answer]:
    path = request.path.removeprefix(_CDN)
    signature = request.query.get("Signature", "")
    if path not in origin.files:
        return Role.DATA, path, Answer.of(b"", status=404)
    if not signature or signature in origin.rules.revoked:
        return Role.DATA, path, Answer.of(EXPIRED, status=403, kind="application/xml")
    return Role.DATA, path, file_answer(origin.files[path], request)
