"""The short way to S3's answers returns what boto3 returns."""

import base64
import contextlib
import datetime
import email.utils
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dev.origins.programs import versitygw
from modelsync.api.protocol import StageProgress
from modelsync.api.source.sources import S3Source
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.stages import Stages
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.sources.credentials import Given, Hidden, Keys
from modelsync.worker.sources.s3 import object_listing
from modelsync.worker.sources.s3.signing import CHECKSUMS, Signer
from tests import counts

ODD_KEYS = [
    "plain.bin",
    "a/b c+d.bin",
    "ä/日本.bin",
    "tilde~(paren)'quote'!*.bin",
    "per%cent%20.bin",
    "q?x=y&z#frag",
    "a//b/../c/.",
    "back\\slash:colon@at,comma;semi=eq$dollar",
]
SESSION = boto3.session.Session()
"""One for all cases, since each reads all of boto3's descriptions of services."""


@pytest.mark.parametrize("version", [None, "v.1/2+3="])
@pytest.mark.parametrize("session", [None, "token/+="])
@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "http://127.0.0.1:9/base",
        "http://Store.Example:80",
        "https://store.example:443/s3",
        "http://[::1]:9",
    ],
)
def test_a_signed_url_is_what_boto3_makes_for_the_same_key(
    endpoint: str | None, session: str | None, version: str | None
) -> None:
    client = SESSION.client(
        "s3",
        region_name="eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        aws_session_token=session,
        config=Config(signature_version="s3v4"),
    )
    hidden = Hidden(session) if session else None
    keys = Keys(access_key=Hidden("key"), secret_key=Hidden("secret"), session_token=hidden)
    signer = Signer(client, "bucket", keys)

    for key in ODD_KEYS:
        params: dict[str, Any] = {"Bucket": "bucket", "Key": key}
        params |= {"VersionId": version} if version else {}
        assert_same(
            lambda key=key: signer.url("GET", key, version),  # type: ignore[misc]
            lambda params=params: client.generate_presigned_url("get_object", Params=params),  # type: ignore[misc]
        )
        asked = {**params, "ChecksumMode": "ENABLED"}
        assert_same(
            lambda key=key: signer.url("HEAD", key, version, CHECKSUMS),  # type: ignore[misc]
            lambda asked=asked: client.generate_presigned_url("head_object", Params=asked),  # type: ignore[misc]
        )


def assert_same(ours: Callable[[], str], theirs: Callable[[], str]) -> None:
    """Both URLs, made in the same second, have the same address, parameters and signature."""
    for _ in range(5):
        one, other = _parts(ours()), _parts(theirs())
        if one[1]["X-Amz-Date"] == other[1]["X-Amz-Date"]:
            break
    assert one == other


def _parts(url: str) -> tuple[str, dict[str, list[str]]]:
    base, _, query = url.partition("?")
    return base, urllib.parse.parse_qs(query)


ALGORITHMS = ["SHA256", "SHA1", "CRC32", "CRC32C", "CRC64NVME"]


def test_the_short_way_to_an_objects_headers_returns_what_boto3_returns(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with versitygw.running(tmp_path_factory.mktemp("s3")) as server, server.client() as client:
        client.create_bucket(Bucket="bucket")
        for name in ALGORITHMS:
            algorithm: Any = name
            client.put_object(Bucket="bucket", Key=f"a b/{name}", Body=b"x", ChecksumAlgorithm=algorithm)
        keys = Keys(
            access_key=Hidden(server.access_key), secret_key=Hidden(server.secret_key), session_token=None
        )
        spec = S3Source(bucket="bucket", endpoint=server.url)
        signer = Signer(client, "bucket", keys)
        with contextlib.closing(Transport(Network())) as transport:
            asking = object_listing.ObjectRequests(
                client=client,
                signer=signer,
                spec=spec,
                credentials=Given(where="the Secret"),
                transport=transport,
                connections=1,
                stages=Stages(),
                patience=Patience(threading.Event(), Stages()),
            )
            for name in ALGORITHMS:
                short = asking._ask_head(f"a b/{name}")
                long: Any = client.head_object(Bucket="bucket", Key=f"a b/{name}", ChecksumMode="ENABLED")
                assert "ResponseMetadata" not in short, "boto3 asked, and not the short way"
                modified = long["LastModified"].astimezone(datetime.UTC)
                long["LastModified"] = email.utils.format_datetime(modified, usegmt=True)
                assert short == {
                    member: long[member] for member in object_listing._HEADERS.values() if member in long
                }
                assert any(member.startswith("Checksum") for member in short)


class Requests(object_listing.ObjectRequests):
    """Answers for the bucket, so that an object costs nothing."""

    def _ask_head(self, key: str) -> Mapping[str, Any]:
        return {"ETag": '"e"', "ChecksumSHA256": base64.b64encode(b"x" * 32).decode()}


OBJECTS = counts.chosen(short=[1, 1000, 10_001], full=[1, 1000, 10_000, 10_001, 50_000])


@pytest.mark.parametrize("count", OBJECTS)
def test_every_object_is_asked_for_its_checksum_however_many_they_are(count: int) -> None:
    client: Any = None
    signer: Any = None
    with contextlib.closing(Transport(Network())) as transport:
        asking = Requests(
            client=client,
            signer=signer,
            spec=S3Source(bucket="bucket"),
            credentials=Given(where="the Secret"),
            transport=transport,
            connections=8,
            stages=Stages(),
            patience=Patience(threading.Event(), Stages()),
        )
        objects = [
            object_listing.Listed(key=f"{number:06}", size=1, etag="e", storage_class="STANDARD")
            for number in range(count)
        ]
        files = asking.described(objects, 0)
    assert sum(bool(file.digests) for file in files) == count
    assert asking.stages.figures() == StageProgress(files_done=count, files_total=count)
