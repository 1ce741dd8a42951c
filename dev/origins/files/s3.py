"""The origin as S3: ListObjectsV2, HeadObject and GetObject of one bucket; any signature is accepted.

What stores do differently is said by `Origin.s3`, before the first request.
"""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from dev.origins.content import base64_digest
from dev.origins.files import listing
from dev.origins.serving.messages import Answer, Object, Request, Role
from dev.origins.serving.ranges import file_answer

if TYPE_CHECKING:
    from dev.origins.files.origin import Origin

BUCKET = "bucket"
ROOT = f"/{BUCKET}"
_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_DATE = "2024-01-01T00:00:00.000Z"


@dataclass(slots=True, kw_only=True)
class Habits:
    """What a store does that others do not."""

    errors: dict[Role, tuple[int, str]] = field(default_factory=dict)
    """Status and members of the error that each request of a role gets, such as `<Code>SlowDown</Code>`."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer about an object."""
    page: bool = False
    """Whether everything is answered with a page for people."""
    hosts_only: str = ""
    """The code that answers who names the bucket in the path."""
    requester_pays: bool = False
    """Whether who does not confirm to pay is denied."""
    version: str = ""
    """The version of every object, if there are versions."""
    version_error: tuple[int, str] | None = None
    """What answers who asks for an object by its version."""
    listed_etag: str = "{}"
    """The form of ETags in listings, around an MD5 or what the object's own is; nothing for none at all."""
    headed_etag: str = "{}"
    """The form of ETags in headers."""
    bucket: str = BUCKET
    """The bucket's name."""


def answer(origin: "Origin", request: Request) -> tuple[Role, str, Answer]:
    """What S3 answers."""
    path = request.path if in_host(request) else request.path.removeprefix(f"/{origin.s3.bucket}")
    path = path.lstrip("/")
    role = Role.HEAD if request.method == "HEAD" else Role.DATA if path else Role.LIST
    refused = _refused(origin.s3, request, role)
    if refused is not None:
        return role, path, refused
    if not path:
        return Role.LIST, "", Answer.of(_listing(origin, request).encode(), kind="application/xml")
    found = origin.files.get(path)
    if found is None:
        return role, path, _error(404, "<Code>NoSuchKey</Code>")
    answer = file_answer(found, request)
    answer.headers |= {"x-amz-version-id": origin.s3.version, "ETag": _tag(found, origin.s3.headed_etag)}
    answer.headers |= origin.s3.headers
    if role is Role.HEAD:
        answer.headers |= {"Content-Length": str(found.announced.size), **_checksum(found)}
    return role, path, answer


def in_host(request: Request) -> bool:
    """Whether the bucket is named by the host."""
    return request.headers.get("host", "").startswith(f"{BUCKET}.")


def _refused(habits: Habits, request: Request, role: Role) -> Answer | None:
    payer = "x-amz-request-payer"
    if habits.page:
        return Answer.of(b"<!doctype html><html><body>Console</body></html>", kind="text/html")
    if role in habits.errors:
        return _error(*habits.errors[role])
    if habits.hosts_only and not in_host(request):
        return _error(403, f"<Code>{habits.hosts_only}</Code>")
    if habits.requester_pays and "requester" not in (request.headers.get(payer), request.query.get(payer)):
        return _error(403, "<Code>AccessDenied</Code>")
    if habits.version_error and "versionId" in request.query:
        return _error(*habits.version_error)
    return None


def _error(status: int, members: str) -> Answer:
    text = f"{_XML}<Error>{members}<RequestId>1</RequestId></Error>"
    return Answer.of(text.encode(), status=status, kind="application/xml")


def _tag(found: Object, form: str) -> str:
    """An object's ETag in another form: `{}` as it is, `{bare}` without quotes, `{upper}`, `{other}`."""
    bare = found.tag.strip('"')
    return form.format(
        found.tag, bare=bare, upper=bare.upper(), other=hashlib.sha1(bare.encode()).hexdigest()
    )


def _checksum(found: Object) -> dict[str, str]:
    if found.checksum is None:
        return {}
    value = base64_digest(found.announced, found.checksum)
    return {f"x-amz-checksum-{found.checksum}": value, "x-amz-checksum-type": "FULL_OBJECT"}


def _listing(origin: "Origin", request: Request) -> str:
    prefix, cursor = request.query.get("prefix", ""), int(request.query.get("continuation-token", 0))
    size = min(origin.page_size, int(request.query.get("max-keys", 1000)))
    known = [path for path in sorted(origin.files) if path.startswith(prefix)]
    page = [
        _entry(path, origin.files[path], _tag(origin.files[path], origin.s3.listed_etag))
        if path in origin.files
        else f"<Contents><Key>{path}</Key><Size>1</Size></Contents>"
        for path in listing.paths(origin.listing, known, cursor, size)
    ]
    following = listing.following(origin.listing, len(known), cursor, size)
    more = following is not None
    token = f"<NextContinuationToken>{following}</NextContinuationToken>" if more else ""
    return (
        f"{_XML}<ListBucketResult><Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix>"
        f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{size}</MaxKeys>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(page)}</ListBucketResult>"
    )


def _entry(path: str, found: Object, tag: str) -> str:
    etag = f"<ETag>{escape(tag)}</ETag>" if tag else ""
    return (
        f"<Contents><Key>{escape(path)}</Key><LastModified>{_DATE}</LastModified>"
        f"{etag}<Size>{found.announced.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )
