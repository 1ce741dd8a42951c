"""What S3 reports of an object, and which of its checksums are to be trusted.

A listing has sizes and ETags. An ETag is the MD5 of the bytes only for an object that was uploaded in one
part and is not encrypted with a key of its owner, and only the object's own headers show that; they also
hold better checksums. So every object is asked for once, several at a time, however many they are: what was
listed is counted while Resolving, which may take its time (10,000 objects about a minute at 8 connections).
"""

import base64
import binascii
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelsync.api.common import untrusted
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import S3Source
from modelsync.worker.checksums import algorithms
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, RemoteFile, Request
from modelsync.worker.common.retry import Transient
from modelsync.worker.http import range_response
from modelsync.worker.http.client import Transport
from modelsync.worker.progress.stages import Stages
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.sources.credentials import Credentials
from modelsync.worker.sources.s3 import errors, multipart, tags
from modelsync.worker.sources.s3.signing import CHECKSUMS, Signer

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_log = logging.getLogger(__name__)

_MD5 = re.compile(r"[0-9a-f]{32}")
_ARCHIVED = {"GLACIER", "DEEP_ARCHIVE", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"}
"""Storage classes and tiers that have to be restored first; others' are found by the error of a GET."""
_CHECKSUMS = {
    "ChecksumSHA256": "sha256",
    "ChecksumSHA1": "sha1",
    "ChecksumCRC64NVME": "crc64nvme",
    "ChecksumCRC32C": "crc32c",
    "ChecksumCRC32": "crc32",
}
"""Members of HeadObject's answer to our names of algorithms."""
_HEADERS = {
    **{f"x-amz-{member.lower().replace('checksum', 'checksum-')}": member for member in _CHECKSUMS},
    "content-length": "ContentLength",
    "etag": "ETag",
    "last-modified": "LastModified",
    "x-amz-archive-status": "ArchiveStatus",
    "x-amz-checksum-type": "ChecksumType",
    "x-amz-restore": "Restore",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "x-amz-storage-class": "StorageClass",
    "x-amz-version-id": "VersionId",
}
"""Headers of HeadObject's answer, as S3's model names their members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An object as the listing shows it."""

    key: str
    size: int
    etag: str
    """Plain (`tags.plain`); empty where the listing has none."""
    storage_class: str
    modified: str = ""
    """ISO 8601, as it came."""


def listed(entry: Mapping[str, Any]) -> Listed | None:
    """An entry of a listing; None for the empty objects whose key ends in '/' that consoles make as folders.

    An object with bytes under such a key is kept, and refused later for its name, rather than left out.
    """
    key, size = str(entry["Key"]), int(entry.get("Size", 0))
    if key.endswith("/") and size == 0:
        return None
    return Listed(
        key=key,
        size=size,
        etag=tags.plain(str(entry.get("ETag", ""))),
        storage_class=str(entry.get("StorageClass", "STANDARD")),
        modified=str(entry.get("LastModified", "")),
    )


def named(spec: S3Source) -> dict[str, Any]:
    """What every request of boto3's names: the bucket, and who pays."""
    return {"Bucket": spec.bucket} | ({"RequestPayer": "requester"} if spec.requester_pays else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRequests:
    """What objects are asked with."""

    client: "S3Client"
    signer: Signer
    spec: S3Source
    credentials: Credentials
    transport: Transport
    patience: Patience
    connections: int
    stages: Stages

    def described(self, objects: Sequence[Listed], cut: int) -> tuple[RemoteFile, ...]:
        """The objects as files, sorted by path, with what their headers say; `cut` characters of a key are
        left out.

        Raises Failure, and what botocore raises.
        """
        self.stages.restart_count(files=len(objects))
        with ThreadPoolExecutor(self.connections, thread_name_prefix="head") as pool:
            files = list(pool.map(lambda each: self._asked(each, cut), objects))
        return tuple(sorted(files, key=lambda file: file.path))

    def _asked(self, each: Listed, cut: int) -> RemoteFile:
        """An object with what its headers say, and the sizes of its parts where they are worth knowing."""
        head = self._head(each)
        count = _composite(head)
        parts: tuple[int, ...] = ()
        if count:
            which = named(self.spec) | {"Key": each.key}
            parts = multipart.sizes(self.client, which, head.get("VersionId"), each.size, count)
        self.stages.advance(files=1)
        return _file(each, cut, head, parts)

    def _head(self, each: Listed) -> Mapping[str, Any]:
        head = self._ask_head(each.key)
        name = names.printable(each.key)
        restored = 'ongoing-request="false"' in str(head.get("Restore", ""))
        tier = str(head.get("ArchiveStatus") or head.get("StorageClass", each.storage_class))
        if tier in _ARCHIVED and not restored:
            text = f"The object {name} is archived ({tier}). Restore it in the bucket, then retry."
            raise Failure(Reason.ACCESS_DENIED, text)
        if is_another(each, head) and not self._steady(each, head):
            raise Failure(Reason.SOURCE_CHANGED, f"The object {name} changed while the bucket was listed.")
        return head

    def _steady(self, each: Listed, head: Mapping[str, Any]) -> bool:
        """Whether a second look at listing and HEAD finds both as they were, and of one size: then the server
        gives an object two ETags rather than another object."""
        if str(head.get("ContentLength")) != str(each.size):
            return False
        entries = self.client.list_objects_v2(Prefix=each.key, MaxKeys=1, **named(self.spec)).get(
            "Contents", ()
        )
        again = self._ask_head(each.key)
        return [listed(entry) for entry in entries] == [each] and _marks(again) == _marks(head)

    def _ask_head(self, key: str) -> Mapping[str, Any]:
        """HeadObject's answer; boto3 asks only where the short way meets anything but an answer, and then
        tries again and explains as it does."""
        request = Request(url=self.signer.url("HEAD", key, None, CHECKSUMS), headers=CHECKSUMS)
        self.patience.keep()
        try:
            response = self.transport.get(request, {}, method="HEAD").response
            response.close()
            if response.status == 200:
                return _members(response.headers)
        except (Transient, Failure) as error:
            _log.debug("an object is asked for again: %s", error)
        from botocore.exceptions import ClientError

        try:
            return self.client.head_object(Key=key, ChecksumMode="ENABLED", **named(self.spec))
        except ClientError as error:
            if errors.refusal_of(error, key).status in (429, 503):
                raise
            return self._by_first_byte(key)

    def _by_first_byte(self, key: str) -> Mapping[str, Any]:
        """What a GET of one byte reports in place of a HEAD: that has no body, so its errors have no code,
        and some proxies answer none."""
        from botocore.exceptions import ClientError

        which = named(self.spec) | {"Key": key}
        try:
            answer = self.client.get_object(**which, Range="bytes=0-0")
        except ClientError as error:
            refusal = errors.refusal_of(error, key)
            if refusal.status != 416:  # an empty object has no first byte
                raise errors.failure(refusal, self.spec, self.credentials) from None
            answer = self.client.get_object(**which)
        known = {name: value for name, value in answer.items() if name in _HEADERS.values()}
        size = answer.get("ContentRange", "").rpartition("/")[2]
        return known | {"ContentLength": untrusted.count(size)} if size else known


def _members(headers: Mapping[str, str]) -> dict[str, str | int]:
    """An answer's headers as HeadObject's members, in the types of S3's model."""
    found: dict[str, str | int] = {
        member: headers[name] for name, member in _HEADERS.items() if name in headers
    }
    length = untrusted.count(headers.get("content-length", ""))
    return found if length is None else found | {"ContentLength": length}


def _file(each: Listed, cut: int, head: Mapping[str, Any], parts: tuple[int, ...] = ()) -> RemoteFile:
    version = head.get("VersionId")
    return RemoteFile(
        path=each.key[cut:],
        size=each.size,
        digests=digests(_agreed(each, head), head, parts),
        etag=range_response.plain_etag(str(head.get("ETag", ""))) or None,
        locator=each.key,
        version=version if version and version != "null" else None,
    )


def is_another(each: Listed, head: Mapping[str, Any]) -> bool:
    """Whether HeadObject's answer contradicts the listing."""
    sha256 = any(digest.algorithm == "sha256" for digest in digests("", head))
    return tags.contradicts(each.size, each.etag, each.modified, head, named=sha256)


def _marks(head: Mapping[str, Any]) -> tuple[str, str]:
    return tags.plain(str(head.get("ETag", ""))), str(head.get("ContentLength"))


def _agreed(each: Listed, head: Mapping[str, Any]) -> str:
    """The ETag that nobody contradicts, which alone can be a checksum; empty when there is none."""
    tag = tags.plain(str(head.get("ETag", "")))
    return "" if tag and each.etag and tag != each.etag else tag or each.etag


def _composite(head: Mapping[str, Any]) -> int:
    """Number of parts behind a composite checksum of HeadObject's answer, at whose end it stands; 0 without
    one."""
    values = (str(head.get(member, "")).partition("-")[2] for member in _CHECKSUMS)
    return next((int(count) for count in values if count.isdecimal() and len(count) < 6), 0)


def digests(etag: str, head: Mapping[str, Any], parts: tuple[int, ...] = ()) -> tuple[Digest, ...]:
    """The checksums of an object's bytes in the answer of HeadObject; none of unknown meaning.

    An ETag that is an MD5 is taken where nothing else has more than 32 bits: computing it takes longer than
    all others.
    `parts` are the sizes of the parts behind a composite one, if they are known.
    """
    found = []
    whole = head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    for member, algorithm in _CHECKSUMS.items():
        checksum, _, count = str(head.get(member, "")).partition("-")
        value = _hexadecimal(checksum)
        if value and not count and whole:
            found.append(Digest(algorithm=algorithm, value=value))
        elif value and count and count == str(len(parts)):
            found.append(Digest(algorithm=algorithms.COMPOSITE + algorithm, value=value, parts=parts))
    sure = any(not digest.algorithm.endswith(("crc32", "crc32c")) for digest in found)
    if head and not sure and _is_md5(etag, head):
        found.append(Digest(algorithm="md5", value=etag))
    return tuple(found)


def _is_md5(etag: str, head: Mapping[str, Any]) -> bool:
    """Whether an ETag is the MD5 of the bytes: one part, no key of the customer or of a key service."""
    encrypted = head.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in head
    return bool(_MD5.fullmatch(etag)) and not encrypted


def _hexadecimal(value: str) -> str:
    """A checksum in base64 as hexadecimal digits; empty when it is none."""
    try:
        return base64.b64decode(value, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""
