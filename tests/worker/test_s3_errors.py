"""S3's own code decides the reason and the sentence, wherever it comes: at the listing, a HEAD or a GET."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Role
from modelsync.api.exitcodes import BY_REASON, is_retryable
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import S3Source
from modelsync.cli import wording
from modelsync.worker.http import refusals
from modelsync.worker.sources.credentials import Given, Hidden
from modelsync.worker.sources.s3 import codes, errors
from tests.origins.syncs import Sync

KEYS = Given(where="the Secret keys (spec.source.s3.secretRef)", values={"AWS_ACCESS_KEY_ID": Hidden("A")})
UNSIGNED = Given(where="spec.source.s3.secretRef")
STORE = S3Source(bucket="models", endpoint="https://store.example.org")


def failure(
    status: int,
    *members: tuple[str, str],
    key: str | None = None,
    headers: dict[str, str] | None = None,
    spec: S3Source = STORE,
    credentials: Given = KEYS,
) -> Any:
    """What an error answer with these members means."""
    refusal = errors.Refusal(status=status, members=dict(members), headers=headers or {}, key=key)
    return errors.failure(refusal, spec, credentials)


CAUSES: dict[str, tuple[int, list[tuple[str, str]], Reason, str]] = {
    "unknown keys": (
        403, [("Code", "InvalidAccessKeyId")], Reason.AUTHENTICATION_FAILED, "does not know the access key",
    ),
    "keys of another store": (
        400,
        [("Code", "InvalidArgument"), ("Message", "Credential access key has length 20, should be 32")],
        Reason.AUTHENTICATION_FAILED,
        "does not know the access key",
    ),
    "wrong secret": (
        403, [("Code", "SignatureDoesNotMatch")], Reason.AUTHENTICATION_FAILED, "secret key does not belong",
    ),
    "expired keys": (400, [("Code", "ExpiredToken")], Reason.AUTHENTICATION_FAILED, "keys have expired"),
    "keys of two sessions": (400, [("Code", "InvalidToken")], Reason.AUTHENTICATION_FAILED, "of one session"),
    "clock": (
        403,
        [
            ("Code", "RequestTimeTooSkewed"),
            ("RequestTime", "20261126T040000Z"),
            ("ServerTime", "2026-11-26T05:00:00Z"),
        ],
        Reason.AUTHENTICATION_FAILED,
        "it was 2026-11-26T05:00:00Z there and 20261126T040000Z here",
    ),
    "clock, of a signed URL": (
        403,
        [
            ("Code", "AccessDenied"),
            ("Message", "Request has expired"),
            ("ServerTime", "2026-11-26T05:00:00Z"),
        ],
        Reason.AUTHENTICATION_FAILED,
        "The clock here differs too much from that of S3: it was 2026-11-26T05:00:00Z there",
    ),
    "region": (
        400,
        [("Code", "AuthorizationHeaderMalformed"), ("Region", "eu-central-1")],
        Reason.INVALID_SPEC,
        "is in the region eu-central-1",
    ),
    "region within the message": (
        400,
        [
            ("Code", "AuthorizationQueryParametersError"),
            ("Message", "Error parsing the X-Amz-Credential parameter; 'a' is wrong; expecting 'b-1'"),
        ],
        Reason.INVALID_SPEC,
        "Set spec.source.s3.region to b-1",
    ),
    "region, unnamed": (301, [("Code", "PermanentRedirect")], Reason.INVALID_SPEC, "in another region or at"),
    "right": (403, [("Code", "AccessDenied")], Reason.ACCESS_DENIED, "s3:ListBucket and s3:GetObject"),
    "right, named": (
        403,
        [
            ("Code", "AccessDenied"),
            ("Message", "User: arn:x is not authorized to perform: s3:ListBucket on resource: y"),
        ],
        Reason.ACCESS_DENIED,
        "(spec.source.s3.secretRef) the right s3:ListBucket.",
    ),
    "key service": (
        403,
        [
            ("Code", "AccessDenied"),
            ("Message", "User is not authorized to perform: kms:Decrypt on the resource associated"),
        ],
        Reason.ACCESS_DENIED,
        "the right kms:Decrypt",
    ),
    "key of the key service": (400, [("Code", "KMS.DisabledException")], Reason.ACCESS_DENIED, "Enable that"),
    "key of the customer": (
        400,
        [
            ("Code", "InvalidRequest"),
            (
                "Message",
                "The object was stored using a form of Server Side Encryption. The correct parameters must be"
                " provided to retrieve the object.",
            ),
        ],
        Reason.ACCESS_DENIED,
        "SSE-C, InvalidRequest), which is not supported",
    ),
    "archive": (
        403,
        [("Code", "InvalidObjectState"), ("StorageClass", "GLACIER")],
        Reason.ACCESS_DENIED,
        "is archived (GLACIER)",
    ),
    "archive tier": (
        403,
        [
            ("Code", "InvalidObjectState"),
            ("StorageClass", "INTELLIGENT_TIERING"),
            ("AccessTier", "ARCHIVE_ACCESS"),
        ],
        Reason.ACCESS_DENIED,
        "is archived (ARCHIVE_ACCESS)",
    ),
    "console": (
        403,
        [
            ("Code", "AccessDenied"),
            ("Message", "S3 API Request made to Console port. S3 Requests should be sent to API port."),
        ],
        Reason.INVALID_SPEC,
        "https://store.example.org is the port of the store's console",
    ),
    "bucket": (404, [("Code", "NoSuchBucket")], Reason.NOT_FOUND, "no bucket models at https://store"),
    "virtual hosts": (
        403, [("Code", "SecondLevelDomainForbidden")], Reason.INVALID_SPEC, "addressingStyle to Virtual",
    ),
    "project that pays": (400, [("Code", "UserProjectMissing")], Reason.ACCESS_DENIED, "is not supported"),
    "rate": (503, [("Code", "SlowDown")], Reason.RATE_LIMITED, "limits the rate"),
    "trouble": (500, [("Code", "InternalError")], Reason.ORIGIN_ERROR, "cannot answer now"),
    "no listing": (501, [("Code", "NotImplemented")], Reason.ORIGIN_ERROR, "does not offer"),
    "nothing but a status": (403, [], Reason.ACCESS_DENIED, "(HTTP 403)"),
    "a status of nobody": (418, [], Reason.ORIGIN_ERROR, "(HTTP 418)"),
    "a code of nobody": (400, [("Code", "Whatever")], Reason.INVALID_SPEC, "(Whatever)"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "members", "reason", "says"), CAUSES.values(), ids=CAUSES)
def test_s3s_code_decides_and_what_the_answer_names_is_said(
    status: int, members: list[tuple[str, str]], reason: Reason, says: str
) -> None:
    for key in (None, "llama/model.bin"):
        found = failure(status, *members, key=key)
        if key is not None and status == 404 and says.startswith("no bucket"):
            continue
        assert found.reason is reason
        assert says in found.message


@pytest.mark.parametrize("code", sorted(codes.BY_CODE))
def test_each_code_of_the_table_has_a_reason_that_ends_a_worker_and_a_whole_sentence(code: str) -> None:
    found = failure(400, ("Code", code), key="a/b", spec=S3Source(bucket="models"))
    assert found.reason in BY_REASON
    assert code in found.message
    assert found.message[0].isupper()
    assert found.message.endswith(".")
    assert not re.search(r"[{}]|\btoken", found.message)
    assert "spec." not in wording.for_terminal(found.message.replace("(spec.source.s3.secretRef)", ""))


AMAZONS = """
AccessDenied AccountProblem AllAccessDisabled AuthorizationHeaderMalformed AuthorizationQueryParametersError
CredentialsNotSupported ExpiredToken IllegalLocationConstraintException IncorrectEndpoint InternalError
InvalidAccessKeyId InvalidBucketName InvalidObjectState InvalidPayer InvalidRange InvalidSecurity InvalidToken
KMS.DisabledException KMS.InvalidKeyUsageException KMS.KMSInvalidStateException KMS.NotFoundException
MethodNotAllowed MissingAuthenticationToken MissingSecurityElement MissingSecurityHeader NoSuchBucket
NoSuchKey NoSuchVersion NotImplemented NotSignedUp OperationAborted PermanentRedirect PreconditionFailed
Redirect RequestExpired RequestTimeout RequestTimeTooSkewed ServiceUnavailable SignatureDoesNotMatch SlowDown
TemporaryRedirect TokenRefreshRequired UnauthorizedAccess UnauthorizedAccessError
"""


def test_every_code_of_amazons_list_that_a_reader_can_meet_is_in_the_table() -> None:
    assert set(AMAZONS.split()) <= set(codes.BY_CODE)


def test_only_what_passes_by_itself_is_tried_again() -> None:
    passing = {Reason.RATE_LIMITED, Reason.ORIGIN_ERROR, Reason.SOURCE_CHANGED}
    for code, meaning in codes.BY_CODE.items():
        assert is_retryable(BY_REASON[meaning.reason]) == (meaning.reason in passing), code


def test_unsigned_requests_that_are_denied_ask_for_keys() -> None:
    found = failure(403, ("Code", "AccessDenied"), credentials=UNSIGNED)
    assert found.message.endswith("Requests are unsigned; name keys in spec.source.s3.secretRef.")


def test_a_region_that_was_asked_already_is_not_proposed_again() -> None:
    spec = STORE.model_copy(update={"region": "eu-central-1"})
    found = failure(400, ("Code", "AuthorizationHeaderMalformed"), ("Region", "eu-central-1"), spec=spec)
    assert "Set spec.source.s3.region to" not in found.message


WORDS = st.dictionaries(
    st.sampled_from(["Code", "Message", "Region", "RequestTime", "ServerTime", "StorageClass", "AccessTier"]),
    st.text(max_size=80) | st.sampled_from(sorted(codes.BY_CODE)),
)


@given(st.integers(300, 599), WORDS, st.none() | st.text(min_size=1, max_size=40))
def test_whatever_an_answer_says_the_message_is_ours(
    status: int, members: dict[str, str], key: str | None
) -> None:
    found = failure(
        status, *members.items(), key=key, headers={"x-amz-bucket-region": members.get("Region", "")}
    )
    assert found.reason in BY_REASON
    assert found.message.isprintable()
    assert len(found.message) < 700
    for member in ("Message", "Region", "StorageClass"):
        hostile = members.get(member, "")
        if len(hostile) > 3 and re.search(r"[^A-Za-z0-9_.-]", hostile):
            assert hostile not in found.message


ANYWHERE = {
    "clock": ("<Code>RequestTimeTooSkewed</Code><ServerTime>2026-11-26T05:00:00Z</ServerTime>", 403,
              Reason.AUTHENTICATION_FAILED, "2026-11-26T05:00:00Z"),
    "customer's key": (
        "<Code>InvalidRequest</Code><Message>The object was stored using a form of Server Side Encryption."
        "</Message>", 400, Reason.ACCESS_DENIED, "SSE-C"),
    "archive": ("<Code>InvalidObjectState</Code><AccessTier>ARCHIVE_ACCESS</AccessTier>", 403,
                Reason.ACCESS_DENIED, "archived (ARCHIVE_ACCESS)"),
    "key service": ("<Code>KMS.DisabledException</Code>", 400, Reason.ACCESS_DENIED, "KMS"),
    "region": ("<Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region>", 400,
               Reason.INVALID_SPEC, "region to eu-central-1"),
    "secret": ("<Code>SignatureDoesNotMatch</Code>", 403, Reason.AUTHENTICATION_FAILED, "secret key"),
}  # fmt: skip
PLACES = {
    "the listing": (Role.LIST,),
    "HEAD and GET": (Role.HEAD, Role.DATA),
    "GET alone": (Role.DATA,),
}


@pytest.mark.parametrize("roles", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("members", "status", "reason", "says"), ANYWHERE.values(), ids=ANYWHERE)
def test_the_cause_is_named_wherever_it_shows(
    tmp_path: Path, roles: tuple[Role, ...], members: str, status: int, reason: Reason, says: str
) -> None:
    origin = Origin({"model.bin": b"x" * 1000})
    origin.s3.errors = dict.fromkeys(roles, (status, members))
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is reason
    assert says in end.message
    assert "token" not in end.message


def test_an_archive_tier_that_a_head_names_is_found_before_anything_is_fetched(tmp_path: Path) -> None:
    origin = Origin({"model.bin": b"x"})
    origin.s3.headers = {
        "x-amz-storage-class": "INTELLIGENT_TIERING",
        "x-amz-archive-status": "ARCHIVE_ACCESS",
    }
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is Reason.ACCESS_DENIED
    assert "archived (ARCHIVE_ACCESS)" in end.message
    assert not origin.log.entries(role=Role.DATA)


def test_a_console_in_place_of_s3_is_named(tmp_path: Path) -> None:
    origin = Origin({"model.bin": b"x"})
    origin.s3.page = True
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is Reason.ORIGIN_ERROR
    assert "answers with a web page" in end.message
    assert "spec.source.s3.endpoint" in end.message


@pytest.mark.parametrize("status", [403, 404, 405, 500, 501])
def test_a_store_without_head_is_read_by_the_first_byte(tmp_path: Path, status: int) -> None:
    origin = Origin({"model.bin": b"x" * 1000, "empty": b""})
    origin.s3.errors = {Role.HEAD: (status, "")}
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is Reason.SYNCED, end.message
    assert end.published == {"model.bin": b"x" * 1000, "empty": b""}


def test_an_error_that_comes_byte_by_byte_is_read_as_far_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MOST_SECONDS", 0.5)
    origin = Origin({"model.bin": b"x" * 1000})
    origin.s3.errors = {Role.DATA: (403, "<Code>InvalidObjectState</Code>" + "x" * 5000)}
    with origin:
        origin.strike("model.bin", "slow=500x*")
        began = time.monotonic()
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
        assert time.monotonic() - began < 8
    assert end.reason is Reason.ACCESS_DENIED
    assert "archived" in end.message


@pytest.mark.parametrize("status", [408, 421, 425, 429, 500, 502, 503, 504])
def test_a_passing_error_of_a_get_is_tried_again(tmp_path: Path, status: int) -> None:
    origin = Origin({"model.bin": b"x" * 1000})
    with origin:
        origin.strike("model.bin", f"status={status}x2")
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is Reason.SYNCED, end.message
