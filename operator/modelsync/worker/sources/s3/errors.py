"""S3's errors as Failures: the code's meaning, with what the answer names (region, times, right, tier).

No message carries a URL's query or a server's own text; of that only words of a known form are taken.
"""

import contextlib
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelsync.api.reasons import Reason
from modelsync.api.source.sources import S3Source
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure
from modelsync.worker.sources.credentials import Credentials
from modelsync.worker.sources.s3 import codes

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_s3.client import S3Client

DEFAULT_REGION = "us-east-1"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{2,59}")
_REGION = re.compile(r"[a-z0-9-]{2,63}")
_EXPECTED = re.compile(r"""expecting ["']([a-z0-9-]{2,63})["']""")
_TIME = re.compile(r"[0-9A-Za-z:., +-]{8,40}")
_TIER = re.compile(r"[A-Za-z_]{2,40}")
_RIGHT = re.compile(r"not authorized to perform: ([a-z0-9-]{2,20}:[A-Za-z]{2,40})")
_ELEMENT = re.compile(rb"<([A-Za-z]{2,40})>([^<]{1,1000})</")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error answer of S3."""

    status: int
    members: Mapping[str, str]
    """Elements of its document, such as Code, Message and Region; none in the answer to a HEAD."""
    headers: Mapping[str, str]
    """By names in lower case."""
    key: str | None = None
    """The object that was asked for; None where it was the bucket."""

    @property
    def code(self) -> str:
        """S3's own code; empty without one. botocore names the status where there is none."""
        code = self.members.get("Code", "")
        return code if _CODE.fullmatch(code) else ""

    @property
    def said(self) -> str:
        """Its own words, to be searched and never shown."""
        return self.members.get("Message", "")

    def word(self, pattern: re.Pattern[str], *members: str) -> str:
        """The first of these members that is of a known form; empty when none is."""
        values = (self.members.get(member, "").strip() for member in members)
        return next((value for value in values if pattern.fullmatch(value)), "")


def read(status: int, headers: Mapping[str, str], body: bytes, key: str) -> Refusal:
    """The refusal of an object, from the answer as it came."""
    members = {
        name.decode(): html.unescape(value.decode("utf-8", "replace"))
        for name, value in _ELEMENT.findall(body)
    }
    lower = {name.lower(): value for name, value in headers.items()}
    return Refusal(status=status, members=members, headers=lower, key=key)


@contextlib.contextmanager
def explained(spec: S3Source, credentials: Credentials) -> Iterator[None]:
    """Turn what botocore raises into Failures."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise failure(refusal_of(error), spec, credentials) from None
    except (BotoCoreError, ValueError) as error:
        raise _unreachable(error, spec) from None


def refusal_of(error: "ClientError", key: str | None = None) -> Refusal:
    """What botocore read of an error answer."""
    return _parsed(dict(error.response), key)


def _parsed(answer: Mapping[str, Any], key: str | None = None) -> Refusal:
    metadata = answer.get("ResponseMetadata", {})
    members = {str(name): str(value) for name, value in answer.get("Error", {}).items()}
    return Refusal(
        status=int(metadata.get("HTTPStatusCode", 0)),
        members=members,
        headers=metadata.get("HTTPHeaders", {}),
        key=key or members.get("Key"),
    )


def stay(client: "S3Client", spec: S3Source, credentials: Credentials) -> None:
    """Report an answer that names another region at once: botocore would go on there by itself, which the
    URLs of objects do not."""

    def judge(response: tuple[Any, Mapping[str, Any]] | None = None, **_: Any) -> None:
        if response is not None and response[1].get("Error"):
            refusal = _parsed(response[1])
            if _meaning(refusal, spec) in (codes.ELSEWHERE, codes.OTHER_ENDPOINT):
                raise failure(refusal, spec, credentials)

    client.meta.events.register_first("needs-retry.s3", judge)


def check_region(spec: S3Source, headers: Mapping[str, str]) -> None:
    """Refuse a bucket in another region: listing follows it there, but a signed URL would not."""
    region = headers.get("x-amz-bucket-region")
    if spec.endpoint is None and region and region != (spec.region or DEFAULT_REGION):
        text = f"The bucket {spec.bucket} is in the region {region}. Set spec.source.s3.region to {region}."
        raise Failure(Reason.INVALID_SPEC, text)


def failure(refusal: Refusal, spec: S3Source, credentials: Credentials) -> Failure:
    """What a refusal means, and what fixes it."""
    meaning = _meaning(refusal, spec)
    text = meaning.text.format(
        code=refusal.code or f"HTTP {refusal.status}",
        bucket=spec.bucket,
        endpoint=spec.endpoint or "S3",
        keys=credentials.where,
        object=_object(refusal, spec),
        region=_region(refusal, spec),
        right=_right(refusal, spec, credentials),
        tier=_within(refusal.word(_TIER, "AccessTier", "StorageClass")),
        times=_times(refusal),
    )
    return Failure(meaning.reason, re.sub("^the ", "The ", text))


def _meaning(refusal: Refusal, spec: S3Source) -> codes.Meaning:
    """The code's meaning; where one code stands for several causes, what else the answer says."""
    code, said = refusal.code, refusal.said.lower()
    if "console port" in said or "api port" in said:
        return codes.CONSOLE
    if "server side encryption" in said or "server-side-encryption-customer" in said:
        return codes.CUSTOMER_KEY
    if "kms:" in said and code == "AccessDenied":
        return codes.KEY_SERVICE
    if "ServerTime" in refusal.members and code == "AccessDenied":
        return codes.CLOCK
    if "access key" in said and code == "InvalidArgument":
        return codes.UNKNOWN_KEYS
    found = codes.BY_CODE.get(code)
    if found is None and code.startswith(("KMS.", "XMinioKMS")):
        found = codes.KEY_SERVICE
    found = found or codes.by_status(refusal.status, listing=refusal.key is None)
    if found is codes.OTHER_ENDPOINT and _region(refusal, spec):
        return codes.ELSEWHERE
    return found


def _region(refusal: Refusal, spec: S3Source) -> str:
    """The region that an answer names, if it is not the one that was asked."""
    expected = _EXPECTED.search(refusal.said)
    header = refusal.headers.get("x-amz-bucket-region", "")
    region = refusal.word(_REGION, "Region") or (expected[1] if expected else "")
    region = region or (header if _REGION.fullmatch(header) else "")
    return "" if region == (spec.region or DEFAULT_REGION) else region


def _object(refusal: Refusal, spec: S3Source) -> str:
    if refusal.key is None:
        return f"the bucket {spec.bucket}"
    return f"the object {names.printable(refusal.key)} of the bucket {spec.bucket}"


def _right(refusal: Refusal, spec: S3Source, credentials: Credentials) -> str:
    if not credentials.given:
        return f"Requests are unsigned; name keys in {credentials.where}."
    named = _RIGHT.search(refusal.said)
    rights = named[1] if named else "to list and read it: s3:ListBucket and s3:GetObject"
    text = f"Give the account of the keys in {credentials.where} the right {rights}."
    if spec.endpoint is None and not named:
        text += " If readers pay for it, set spec.source.s3.requesterPays."
    return text


def _times(refusal: Refusal) -> str:
    here, there = refusal.word(_TIME, "RequestTime"), refusal.word(_TIME, "ServerTime")
    there = there or refusal.headers.get("date", "")
    if not _TIME.fullmatch(there):
        return ""
    return f": it was {there} there" + (f" and {here} here" if here else "")


def _within(word: str) -> str:
    return f" ({word})" if word else ""


def _unreachable(error: "BotoCoreError | ValueError", spec: S3Source) -> Failure:
    from botocore import exceptions, parsers

    where = spec.endpoint or "S3"
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        text = f"{where} does not answer. Check spec.source.s3.endpoint, and that the worker can reach it."
        return Failure(Reason.NETWORK_ERROR, text)
    if isinstance(error, exceptions.PaginationError):
        text = f"The listing of {where} leads back to its own page. Check spec.source.s3.endpoint."
        return Failure(Reason.ORIGIN_ERROR, text)
    if isinstance(error, parsers.ResponseParserError):
        text = f"{where} does not answer as S3 does. Check spec.source.s3.endpoint."
        return Failure(Reason.ORIGIN_ERROR, text)
    text = (
        f"A request to {where} cannot be made ({type(error).__name__}). Check the fields of spec.source.s3."
    )
    return Failure(Reason.INVALID_SPEC, text)
