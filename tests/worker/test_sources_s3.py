"""A real S3 server by boto3: prefixes, checksums, signed URLs, and a reason for each refusal."""

import base64
import dataclasses
import hashlib
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dev.origins.programs import versitygw
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import S3Source
from modelsync.api.source.transfer import Resolved
from modelsync.worker.checksums import file_digest
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, RemoteFile
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.sources.credentials import Credentials, Given, Hidden
from modelsync.worker.sources.s3 import buckets, errors, multipart, object_listing
from modelsync.worker.sources.s3.buckets import BucketSource

BODY = bytes(range(256)) * 1000
OBJECTS = {
    "models/llama/config.json": b"{}",
    "models/llama/deep/weights.bin": BODY,
    "models/llama/empty": b"",
    "models/llama-2/config.json": b"other",
    "models/single.gguf": b"gguf",
    "odd/a b+c&d=ä?.txt": b"odd",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[versitygw.Versitygw]:
    with versitygw.running(tmp_path_factory.mktemp("s3")) as running:
        running.put("models", OBJECTS)
        running.put("plain", {"weights.bin": BODY}, checksum=False)
        with running.client() as client:
            client.put_object(Bucket="models", Key="models/llama/marker/")
            client.create_bucket(Bucket="empty")
        yield running


def keys(server: versitygw.Versitygw, **values: str) -> Credentials:
    all_values = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key} | values
    return Given(
        where="the Secret keys (spec.source.s3.secretRef)",
        values={key: Hidden(value) for key, value in all_values.items()},
    )


def source(
    server: versitygw.Versitygw, bucket: str, prefix: str = "", credentials: Credentials | None = None
) -> BucketSource:
    spec = S3Source(bucket=bucket, prefix=prefix, endpoint=server.url)
    return BucketSource(spec, credentials or keys(server), Network())


PREFIXES = {
    "a folder": ("models/llama/", {"config.json", "deep/weights.bin", "empty"}),
    "a folder without its slash": ("models/llama", {"config.json", "deep/weights.bin", "empty"}),
    "the beginning of names": (
        "models/lla",
        {"llama/config.json", "llama/deep/weights.bin", "llama/empty", "llama-2/config.json"},
    ),
    "one object": ("models/single.gguf", {"single.gguf"}),
    "all of it": ("", set(OBJECTS)),
}


@pytest.mark.parametrize(("prefix", "expected"), PREFIXES.values(), ids=PREFIXES)
def test_a_prefix_gives_the_files_a_user_expects(
    server: versitygw.Versitygw, prefix: str, expected: set[str]
) -> None:
    assert {file.path for file in source(server, "models", prefix).resolve(None).files} == expected


def test_sizes_and_checksums_are_those_of_the_bytes(server: versitygw.Versitygw) -> None:
    found = {file.path: file for file in source(server, "models", "models/llama/").resolve(None).files}
    weights = found["deep/weights.bin"]
    assert weights.size == len(BODY)
    assert Digest(algorithm="sha256", value=hashlib.sha256(BODY).hexdigest()) in weights.digests
    assert found["empty"].size == 0


def test_the_etag_of_a_simple_upload_is_its_md5(server: versitygw.Versitygw) -> None:
    (file,) = source(server, "plain").resolve(None).files
    assert Digest(algorithm="md5", value=hashlib.md5(BODY).hexdigest()) in file.digests


def test_the_etag_of_an_upload_in_parts_is_no_checksum(server: versitygw.Versitygw) -> None:
    with server.client() as client:
        upload = client.create_multipart_upload(Bucket="plain", Key="parts/a.bin")["UploadId"]
        part = client.upload_part(
            Bucket="plain", Key="parts/a.bin", PartNumber=1, UploadId=upload, Body=b"x" * (5 << 20)
        )
        client.complete_multipart_upload(
            Bucket="plain",
            Key="parts/a.bin",
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
        )
    (file,) = source(server, "plain", "parts/").resolve(None).files
    assert file.etag is not None
    assert file.etag.endswith("-1")
    assert all(digest.algorithm != "md5" for digest in file.digests)
    with server.client() as client:
        client.delete_object(Bucket="plain", Key="parts/a.bin")


WHOLE = ("SHA256", "SHA1", "CRC64NVME", "CRC32C", "CRC32")
IN_PARTS = (
    ("SHA256", "COMPOSITE"), ("SHA1", "COMPOSITE"), ("CRC32C", "COMPOSITE"), ("CRC32", "COMPOSITE"),
    ("CRC64NVME", "FULL_OBJECT"), ("CRC32C", "FULL_OBJECT"), ("CRC32", "FULL_OBJECT"),
)  # fmt: skip
PART = random.Random(1).randbytes(5 << 20)
PARTS = (PART, PART[::-1], b"tail")


@pytest.mark.parametrize("algorithm", WHOLE)
def test_each_of_s3s_checksums_is_compared(
    server: versitygw.Versitygw, tmp_path: Path, algorithm: str
) -> None:
    key = f"whole/{algorithm}/a.bin"
    with server.client() as client:
        client.put_object(Bucket="plain", Key=key, Body=BODY, ChecksumAlgorithm=algorithm)  # type: ignore[arg-type]
    (file,) = source(server, "plain", f"whole/{algorithm}/").resolve(None).files
    _remove(server, key)
    assert algorithm.lower() in {digest.algorithm for digest in file.digests}
    _compared(file, BODY, tmp_path)


@pytest.mark.parametrize(("algorithm", "kind"), IN_PARTS)
def test_each_checksum_of_an_upload_in_parts_is_compared(
    server: versitygw.Versitygw, tmp_path: Path, algorithm: str, kind: str
) -> None:
    key = f"parts/{algorithm}-{kind}/a.bin"
    _upload(server, key, algorithm, kind)
    (file,) = source(server, "plain", f"parts/{algorithm}-{kind}/").resolve(None).files
    _remove(server, key)
    prefix = "composite-" if kind == "COMPOSITE" else ""
    (digest,) = file.digests
    assert digest.algorithm == prefix + algorithm.lower()
    assert digest.parts == (tuple(map(len, PARTS)) if prefix else ())
    _compared(file, b"".join(PARTS), tmp_path)


def _upload(server: versitygw.Versitygw, key: str, algorithm: str, kind: str) -> None:
    names: Any = {"Bucket": "plain", "Key": key}
    sums: Any = {"ChecksumAlgorithm": algorithm}
    more: Any = {"ChecksumType": kind}
    with server.client() as client:
        names["UploadId"] = client.create_multipart_upload(**names, **sums, **more)["UploadId"]
        parts: Any = []
        for number, body in enumerate(PARTS, start=1):
            part: Any = client.upload_part(**names, **sums, PartNumber=number, Body=body)
            checksum = f"Checksum{algorithm}"
            parts.append({"PartNumber": number, "ETag": part["ETag"], checksum: part[checksum]})
        client.complete_multipart_upload(**names, **more, MultipartUpload={"Parts": parts})


def _remove(server: versitygw.Versitygw, key: str) -> None:
    with server.client() as client:
        client.delete_object(Bucket="plain", Key=key)


def _compared(file: RemoteFile, body: bytes, folder: Path) -> None:
    """The right bytes pass, a single wrong bit does not, and the manifest says by what."""
    assert _digests(file, body, folder).wrong() is None
    flipped = bytes([body[0] ^ 1]) + body[1:]
    assert _digests(file, flipped, folder).wrong() is not None
    stated = {digest.algorithm for digest in file.digests}
    assert _digests(file, body, folder).verified_by().replace("etag-md5", "md5") in stated


def _digests(file: RemoteFile, body: bytes, folder: Path) -> file_digest.Digests:
    path = folder / "file"
    path.write_bytes(body)
    with path.open("rb") as opened:
        return file_digest.digest_file(opened.fileno(), file.digests, len(body))


class Client:
    """An S3 client that returns parts by attributes in pages of two, or refuses to, and else by HEAD."""

    def __init__(self, sizes: list[int], *, attributes: bool) -> None:
        self.sizes, self.attributes, self.asked = sizes, attributes, 0

    def get_object_attributes(self, **names: Any) -> dict[str, Any]:
        self.asked += 1
        if not self.attributes:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObjectAttributes")
        marker = names["PartNumberMarker"]
        page = list(enumerate(self.sizes, start=1))[marker : marker + 2]
        return {"ObjectParts": {"Parts": [{"PartNumber": number, "Size": size} for number, size in page]}}

    def head_object(self, **names: Any) -> dict[str, Any]:
        self.asked += 1
        return {"ContentLength": self.sizes[names["PartNumber"] - 1]}


@pytest.mark.parametrize(
    ("attributes", "size", "count", "found", "asked"),
    [
        pytest.param(True, 12, 3, (5, 5, 2), 2, id="by attributes"),
        pytest.param(False, 12, 3, (5, 5, 2), 4, id="by a HEAD of each"),
        pytest.param(True, 13, 3, (), 5, id="they do not make the size"),
        pytest.param(False, 12, 5000, (), 1, id="too many to ask for"),
    ],
)
def test_the_sizes_of_parts_are_asked_for_in_two_ways(
    attributes: bool, size: int, count: int, found: tuple[int, ...], asked: int
) -> None:
    client: Any = Client([5, 5, 2], attributes=attributes)
    assert multipart.sizes(client, {"Bucket": "b", "Key": "k"}, None, size, count) == found
    assert client.asked == asked


def test_a_composite_checksum_without_its_parts_is_left_to_the_size(tmp_path: Path) -> None:
    found = object_listing.digests(f"{MD5}-3", {"ChecksumType": "COMPOSITE", "ChecksumCRC32": "Zm9vbw==-3"})
    assert found == ()
    file = RemoteFile(path="a", size=1, digests=found, locator="a")
    assert _digests(file, b"x", tmp_path).verified_by() == "size"


def test_a_listing_of_several_pages_is_complete(
    server: versitygw.Versitygw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "PAGE_SIZE", 2)
    assert {file.path for file in source(server, "models").resolve(None).files} == set(OBJECTS)


@pytest.mark.parametrize(("bucket", "prefix", "body"), [("plain", "", BODY), ("models", "odd/", b"odd")])
def test_a_signed_url_brings_the_bytes_without_further_headers(
    server: versitygw.Versitygw, bucket: str, prefix: str, body: bytes
) -> None:
    opened = source(server, bucket, prefix)
    (file,) = opened.resolve(None).files
    request = opened.request(file)
    assert not request.headers
    network = Transport(Network())
    response = network.get(request, {}).response
    assert response.read() == body
    response.close()
    network.close()


def test_the_same_objects_have_the_same_revision_and_a_change_is_reported(
    server: versitygw.Versitygw,
) -> None:
    server.put("changing", {"a": b"1", "b": b"2"})
    first = source(server, "changing").resolve(None)
    pinned = Resolved(revision=first.revision)
    assert source(server, "changing").resolve(pinned).revision == first.revision
    server.put("changing", {"a": b"3"})
    with pytest.raises(Failure) as caught:
        source(server, "changing").resolve(pinned)
    assert caught.value.reason is Reason.SOURCE_CHANGED


REFUSED: dict[str, tuple[str, str, dict[str, str], Reason, str]] = {
    "no such bucket": ("absent", "", {}, Reason.NOT_FOUND, "spec.source.s3.bucket"),
    "nothing below the prefix": ("models", "none/", {}, Reason.NOTHING_MATCHED, "s3://models/none/"),
    "an empty bucket": ("empty", "", {}, Reason.NOTHING_MATCHED, "s3://empty/"),
    "unknown key id": (
        "models", "", {"AWS_ACCESS_KEY_ID": "other"}, Reason.AUTHENTICATION_FAILED, "the Secret keys",
    ),
    "wrong secret key": (
        "models", "", {"AWS_SECRET_ACCESS_KEY": "canary"}, Reason.AUTHENTICATION_FAILED, "the Secret keys",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("bucket", "prefix", "change", "reason", "says"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_its_reason_and_the_fix(
    server: versitygw.Versitygw, bucket: str, prefix: str, change: dict[str, str], reason: Reason, says: str
) -> None:
    with pytest.raises(Failure) as caught:
        source(server, bucket, prefix, keys(server, **change)).resolve(None)
    assert caught.value.reason is reason
    assert says in caught.value.message
    assert "canary" not in caught.value.message


def test_unsigned_requests_to_a_closed_bucket_ask_for_keys(server: versitygw.Versitygw) -> None:
    with pytest.raises(Failure, match=r"name keys in spec\.source\.s3\.secretRef") as caught:
        source(server, "models", credentials=Given(where="spec.source.s3.secretRef")).resolve(None)
    assert caught.value.reason is Reason.ACCESS_DENIED


def test_a_server_that_is_not_there_is_a_network_error(server: versitygw.Versitygw) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = dataclasses.replace(server, url=f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(Failure, match="does not answer") as caught:
        source(gone, "models").resolve(None)
    assert caught.value.reason is Reason.NETWORK_ERROR


MD5 = "0" * 32
SHA256 = hashlib.sha256(b"x")
HEADS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "simple": (MD5, {"ETag": MD5}, {"md5"}),
    "not asked": (MD5, {}, set()),
    "key service": (MD5, {"ServerSideEncryption": "aws:kms"}, set()),
    "customer's key": (MD5, {"SSECustomerAlgorithm": "AES256"}, set()),
    "S3's key": (MD5, {"ServerSideEncryption": "AES256"}, {"md5"}),
    "in parts": (f"{MD5}-3", {"ETag": "x"}, set()),
    "simple, with a checksum": (
        MD5,
        {"ChecksumSHA256": base64.b64encode(SHA256.digest()).decode()},
        {"sha256"},
    ),
    "full checksum": (
        f"{MD5}-3",
        {"ChecksumType": "FULL_OBJECT", "ChecksumSHA256": base64.b64encode(SHA256.digest()).decode()},
        {"sha256"},
    ),
    "checksum of checksums": (
        f"{MD5}-3",
        {"ChecksumType": "COMPOSITE", "ChecksumSHA256": base64.b64encode(SHA256.digest()).decode()},
        set(),
    ),
    "checksum of checksums by its form": (f"{MD5}-3", {"ChecksumSHA256": "Zm9v-3"}, set()),
}


@pytest.mark.parametrize(("etag", "head", "expected"), HEADS.values(), ids=HEADS)
def test_only_checksums_of_known_meaning_are_taken(
    etag: str, head: dict[str, Any], expected: set[str]
) -> None:
    found = object_listing.digests(etag, head)
    assert {digest.algorithm for digest in found} == expected
    assert all(digest.value == SHA256.hexdigest() for digest in found if digest.algorithm == "sha256")


def test_a_bucket_elsewhere_names_its_region() -> None:
    with pytest.raises(Failure, match=r"Set spec\.source\.s3\.region to eu-central-1"):
        errors.check_region(S3Source(bucket="models"), {"x-amz-bucket-region": "eu-central-1"})
    right = S3Source(bucket="models", region="eu-central-1")
    errors.check_region(right, {"x-amz-bucket-region": "eu-central-1"})


def test_folder_markers_are_left_out_and_empty_files_kept() -> None:
    assert object_listing.listed({"Key": "a/", "Size": 0}) is None
    assert object_listing.listed({"Key": "a", "Size": 0}) is not None
    assert object_listing.listed({"Key": "a/", "Size": 5}) is not None
