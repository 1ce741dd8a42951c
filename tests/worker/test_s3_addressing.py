"""Where requests name the bucket, who pays, and which names buckets may have."""

import contextlib
import dataclasses
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.origins.files import s3
from dev.origins.files.origin import Origin
from dev.origins.programs import versitygw
from dev.origins.serving.messages import Role
from modelsync.api.reasons import Reason
from modelsync.api.source import bucket_names
from modelsync.api.source.sources import AddressingStyle, S3Source
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.sources.credentials import Given, Hidden
from modelsync.worker.sources.s3.buckets import BucketSource
from tests.origins.syncs import End, Sync

FILES = {"model.bin": b"x" * 200_000, "deep/config.json": b"{}"}
STORE = "http://store.example"
CODES = ["SecondLevelDomainForbidden", "PathStyleDomainForbidden", "InvalidPathAccess"]


@contextlib.contextmanager
def store(**habits: Any) -> Iterator[Origin]:
    """An origin that is a proxy too, so that it is asked by whatever name."""
    origin = Origin(FILES)
    origin.s3 = s3.Habits(**habits)
    with origin:
        yield origin


def synced(origin: Origin, volume: Path, **fields: Any) -> End:
    """How a sync from the store by this name ends."""
    network = Network(connections=2, timeout_seconds=5, proxies={"http": origin.url})
    fields = {"endpoint": STORE} | fields
    return Sync(origin=origin, volume=volume, kind="s3", network=network, bucket=fields).run()


def hosts(origin: Origin, role: Role | None = None) -> set[str]:
    """The names that were asked."""
    return {entry.request.headers["host"] for entry in origin.log.entries(role=role)}


@pytest.mark.parametrize("code", CODES)
def test_a_store_that_takes_hosts_only_is_asked_so_by_itself(tmp_path: Path, code: str) -> None:
    with store(hosts_only=code) as origin:
        end = synced(origin, tmp_path)
    assert end.reason is Reason.SYNCED, end.message
    assert end.published == FILES
    assert hosts(origin, Role.HEAD) | hosts(origin, Role.DATA) == {"bucket.store.example"}
    by_path = [entry for entry in origin.log if entry.request.headers["host"] == "store.example"]
    assert len(by_path) == 1


@pytest.mark.parametrize(
    ("style", "host"),
    [
        (AddressingStyle.AUTO, "store.example"),
        (AddressingStyle.PATH, "store.example"),
        (AddressingStyle.VIRTUAL_HOSTED, "bucket.store.example"),
    ],
)
def test_a_style_is_kept_for_all_requests(tmp_path: Path, style: AddressingStyle, host: str) -> None:
    with store() as origin:
        end = synced(origin, tmp_path, addressing_style=style)
    assert end.published == FILES, end.message
    assert hosts(origin) == {host}


def test_a_style_that_the_store_does_not_take_is_named(tmp_path: Path) -> None:
    with store(hosts_only="SecondLevelDomainForbidden") as origin:
        end = synced(origin, tmp_path, addressing_style=AddressingStyle.PATH)
    assert end.reason is Reason.INVALID_SPEC
    assert "Set spec.source.s3.addressingStyle to VirtualHosted" in end.message


@pytest.mark.parametrize(
    "fields",
    [{"endpoint": "http://192.0.2.1"}, {"endpoint": "https://store.example", "bucket": "my.models"}],
    ids=["an address", "a dot below a certificate"],
)
def test_a_bucket_that_fits_into_no_host_name_is_refused_rather_than_asked_by_the_path(
    tmp_path: Path, fields: dict[str, str]
) -> None:
    with store() as origin:
        end = synced(origin, tmp_path, addressing_style=AddressingStyle.VIRTUAL_HOSTED, **fields)
    assert end.reason is Reason.INVALID_SPEC
    assert "cannot be part of the host name" in end.message
    assert not len(origin.log)


@pytest.mark.parametrize("refused", [(), (Role.HEAD,)], ids=["with HEAD", "without HEAD"])
def test_a_bucket_whose_readers_pay_is_read_by_who_says_so(tmp_path: Path, refused: tuple[Role, ...]) -> None:
    with store(requester_pays=True, errors=dict.fromkeys(refused, (405, ""))) as origin:
        end = synced(origin, tmp_path, requester_pays=True)
    assert end.published == FILES, end.message


def test_nobody_pays_unasked(tmp_path: Path) -> None:
    with store(requester_pays=True) as origin:
        end = synced(origin, tmp_path)
    assert end.reason is Reason.ACCESS_DENIED
    assert not [entry for entry in origin.log if "payer" in str(entry.request.headers) + entry.request.target]


@pytest.mark.parametrize("bucket", ["Models", "my_models", "team:models", "UPPER_lower.1-", "x" * 200])
def test_older_buckets_and_those_of_tenants_are_read(tmp_path: Path, bucket: str) -> None:
    with store(bucket=bucket) as origin:
        end = synced(origin, tmp_path, bucket=bucket)
    assert end.published == FILES, end.message


NAMES: dict[str, tuple[str, bool, bool, str | None]] = {
    "of AWS": ("my.models-2", False, False, None),
    "upper case on AWS": ("Models", False, False, bucket_names.MUST_BE_AWS),
    "upper case at an endpoint": ("Models", True, False, None),
    "upper case in a host": ("Models", True, True, bucket_names.NOT_IN_A_HOST),
    "of a tenant": ("team:models", True, False, None),
    "of a tenant on AWS": ("team:models", False, False, bucket_names.MUST_BE_AWS),
    "long on AWS": ("a" * 64, False, False, bucket_names.MUST_BE_AWS),
    "long": ("a" * 255, True, False, None),
    "too long": ("a" * 256, True, False, bucket_names.MUST_BE_ANY),
    "a URL": ("s3://models", True, False, bucket_names.MUST_BE_ANY),
    "an ARN": ("arn:aws:s3:us-west-2:123456789012:accesspoint/x", False, False, bucket_names.MUST_BE_ANY),
    "an alias of an access point": ("ap-metadata1234567890abcdefghijklmnop-s3alias", False, False, None),
    "a directory bucket": ("models--usw2-az1--x-s3", False, False, bucket_names.NOT_DIRECTORY),
    "two dots": ("a..b", False, False, bucket_names.MUST_BE_AWS),
    "a path": ("a/b", True, False, bucket_names.MUST_BE_ANY),
    "short": ("gz", True, False, None),
    "short on AWS": ("gz", False, False, bucket_names.MUST_BE_AWS),
    "no name": ("", True, False, bucket_names.MUST_BE_ANY),
    "a dot": (".", True, False, bucket_names.MUST_BE_ANY),
}


@pytest.mark.parametrize(("name", "endpoint", "virtual", "problem"), NAMES.values(), ids=NAMES)
def test_a_bucket_is_named_as_its_store_allows(
    name: str, endpoint: bool, virtual: bool, problem: str | None
) -> None:
    assert bucket_names.fault(name, endpoint=endpoint, virtual=virtual) == problem


@given(st.text(max_size=300), st.booleans(), st.booleans())
def test_a_name_that_is_taken_is_one_step_of_a_path(name: str, endpoint: bool, virtual: bool) -> None:
    if bucket_names.fault(name, endpoint=endpoint, virtual=virtual) is None:
        assert re.fullmatch(r"[A-Za-z0-9._:-]{1,319}", name)
        assert name not in (".", "..")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[versitygw.Versitygw]:
    with versitygw.running(tmp_path_factory.mktemp("s3"), domain="store.example") as running:
        found = socket.getaddrinfo
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                socket,
                "getaddrinfo",
                lambda host, *more, **also: found(
                    "127.0.0.1" if str(host).endswith("store.example") else host, *more, **also
                ),
            )
            port = running.url.rpartition(":")[2]
            running.put("models", {"a b.bin": b"x" * 1000})
            yield dataclasses.replace(running, url=f"http://store.example:{port}")


@pytest.mark.parametrize("style", list(AddressingStyle))
@pytest.mark.parametrize("pays", [False, True], ids=["as owner", "as reader who pays"])
def test_a_real_server_takes_what_is_signed(
    server: versitygw.Versitygw, style: AddressingStyle, pays: bool
) -> None:
    values = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    secret = Given(where="the Secret", values={key: Hidden(value) for key, value in values.items()})
    spec = S3Source(bucket="models", endpoint=server.url, addressing_style=style, requester_pays=pays)
    source = BucketSource(spec, secret, Network())
    (file,) = source.resolve(None).files
    request = source.request(file)
    assert ("//models.store.example" in request.url) == (style is AddressingStyle.VIRTUAL_HOSTED)
    assert ("x-amz-request-payer=requester" in request.url) == pays
    with contextlib.closing(Transport(Network())) as transport:
        assert transport.get(request, {}).response.read() == b"x" * 1000
