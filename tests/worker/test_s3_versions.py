"""A version pins an object better than its ETag, and needs a right of its own, which nobody has to have."""

import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from dev.origins.content import Fixed
from dev.origins.files.origin import Origin
from dev.origins.programs import versitygw
from dev.origins.serving.messages import Object, Role
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import S3Source
from modelsync.api.source.transfer import Engine
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.sources.credentials import Given, Hidden
from modelsync.worker.sources.s3 import multipart
from modelsync.worker.sources.s3.buckets import BucketSource
from tests.origins.syncs import Sync

FILES = {f"{number}.bin": bytes([number]) * 150_000 for number in range(1, 9)}
ANSWERS = {
    "no right": (
        403,
        "<Code>AccessDenied</Code><Message>is not authorized to perform: s3:GetObjectVersion</Message>",
    ),
    "no code": (403, ""),
    "unknown here": (400, "<Code>InvalidArgument</Code><Message>Invalid version id specified</Message>"),
    "not offered": (501, "<Code>NotImplemented</Code>"),
}


@pytest.mark.parametrize("checksum", ["sha256", None], ids=["with a SHA-256", "with an ETag"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_who_may_not_read_versions_reads_what_the_etag_pins(
    tmp_path: Path, answer: tuple[int, str], checksum: str | None
) -> None:
    origin = Origin({path: Object(content=Fixed(data), checksum=checksum) for path, data in FILES.items()})
    origin.s3.version, origin.s3.version_error = "v1", answer
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3", connections=4).run()
    assert end.reason is Reason.SYNCED, end.message
    assert end.published == FILES
    versioned = [entry for entry in origin.log.entries(role=Role.DATA) if "versionId" in entry.request.query]
    assert 1 <= len(versioned) <= 4, "once it is known, no more is asked for by its version"


def test_who_may_read_versions_reads_nothing_else(tmp_path: Path) -> None:
    origin = Origin(FILES)
    origin.s3.version = "v1"
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.published == FILES
    assert all(entry.request.query.get("versionId") == "v1" for entry in origin.log.entries(role=Role.DATA))


def test_an_object_that_changes_is_noticed_without_its_version_too(tmp_path: Path) -> None:
    origin = Origin({"a.bin": Object(content=Fixed(b"x" * 300_000), checksum=None)})
    origin.s3.version, origin.s3.version_error = "v1", ANSWERS["no right"]
    with origin:
        origin.strike("a.bin", "replace@3")
        end = Sync(origin=origin, volume=tmp_path, kind="s3", connections=1).run()
        assert end.reason in (Reason.SOURCE_CHANGED, Reason.CHECKSUM_MISMATCH), end.message
    assert not end.published


@pytest.mark.parametrize(
    ("status", "code", "hours", "again"),
    [
        (403, "AccessDenied", 0.0, True),
        (403, "AccessDenied", 0.9, False),
        (400, "ExpiredToken", 0.0, False),
        (503, "SlowDown", 0.0, False),
    ],
    ids=["no right", "an old URL", "expired keys", "a busy store"],
)
def test_only_a_right_that_is_missing_gives_versions_up(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, hours: float, again: bool
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": Hidden("a"), "AWS_SECRET_ACCESS_KEY": Hidden("b")}
    spec = S3Source(bucket="models", endpoint="http://127.0.0.1:9")
    source = BucketSource(spec, Given(where="the Secret", values=keys), Network())
    file = RemoteFile(path="a", size=1, locator="a", version="v1")
    request = source.request(file)
    assert request.explain is not None
    later = time.monotonic() + hours * 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    refused = request.explain(status, {}, f"<Error><Code>{code}</Code></Error>".encode())
    assert refused is not None
    assert refused.again is again
    assert ("versionId" in source.request(file).url) is not again


def test_what_is_denied_with_and_without_a_version_is_denied(tmp_path: Path) -> None:
    origin = Origin(FILES)
    origin.s3.version = "v1"
    origin.s3.errors = {Role.DATA: (403, "<Code>AccessDenied</Code>")}
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is Reason.ACCESS_DENIED
    assert "s3:ListBucket and s3:GetObject" in end.message


def test_another_engine_reads_without_versions_too(tmp_path: Path) -> None:
    origin = Origin(FILES)
    origin.s3.version, origin.s3.version_error = "v1", ANSWERS["no right"]
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3", engine=Engine.HF_TRANSFER).run()
    assert end.published == FILES, end.message


class Client:
    """Returns the parts of what is there now, and denies versions."""

    def head_object(self, **names: object) -> dict[str, int]:
        if "VersionId" in names:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "HeadObject")
        return {"ContentLength": 5}

    get_object_attributes = head_object


def test_the_sizes_of_parts_need_no_more_rights_either() -> None:
    client: object = Client()
    assert multipart.sizes(client, {"Bucket": "b", "Key": "k"}, "v1", 10, 2) == (5, 5)  # type: ignore[arg-type]


def test_a_real_servers_versions_are_read(tmp_path: Path) -> None:
    with versitygw.running(tmp_path, versions=True) as server:
        with server.client() as client:
            client.create_bucket(Bucket="models")
            client.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
        server.put("models", {"a.bin": b"old"})
        values = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        secret = Given(where="the Secret", values={key: Hidden(value) for key, value in values.items()})
        source = BucketSource(S3Source(bucket="models", endpoint=server.url), secret, Network())
        (file,) = source.resolve(None).files
        server.put("models", {"a.bin": b"new"})
        transport = Transport(Network())
        assert file.version
        assert transport.get(source.request(file), {}).response.read() == b"old"
        transport.close()
