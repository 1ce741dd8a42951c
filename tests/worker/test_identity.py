"""What makes a file the same file: its SHA-256 if the source states one, else its ETag, date or version."""

import base64
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.origins.content import noise
from dev.origins.faults import ALWAYS, EtagSwap, Status
from dev.origins.files.web import WebOrigin
from modelsync.api.reasons import Reason
from modelsync.api.source import sources
from modelsync.api.source.transfer import Resolved
from modelsync.worker.attempt import planning
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, RemoteFile
from modelsync.worker.http.connector import Network
from modelsync.worker.sources import pinning
from modelsync.worker.sources.credentials import Given
from modelsync.worker.sources.http import WebSource
from modelsync.worker.sources.s3 import object_listing
from modelsync.worker.storage.staging import key_of
from tests.worker.syncs import CHUNK, Sync, sha256

BIG = noise(20 * CHUNK + 123)
tags = st.none() | st.text(max_size=20)
weak = st.sampled_from(["md5", "crc32", "crc64nvme", "sha1", "git-sha1"])
others = st.lists(st.builds(Digest, algorithm=weak, value=st.just("00")), max_size=2).map(tuple)
STRONG = Digest(algorithm="sha256", value="ab" * 32)


def a_file(etag: str | None, version: str | None, *digests: Digest) -> RemoteFile:
    return RemoteFile(path="a", size=7, digests=digests, etag=etag, version=version, locator="here")


def identity(file: RemoteFile) -> tuple[str, str, str]:
    return key_of(file), pinning.revision_of([file]), planning.digest_of([file])


@settings(deadline=None)
@given(others, tags, tags, tags, tags)
def test_where_a_sha256_is_stated_nothing_else_makes_another_file(
    more: tuple[Digest, ...], etag: str | None, version: str | None, etag2: str | None, version2: str | None
) -> None:
    assert identity(a_file(etag, version, STRONG, *more)) == identity(a_file(etag2, version2, STRONG, *more))


@settings(deadline=None)
@given(others, tags, tags)
def test_without_one_an_etag_makes_another_file(
    more: tuple[Digest, ...], etag: str | None, etag2: str | None
) -> None:
    one, other = a_file(etag, None, *more), a_file(etag2, None, *more)
    same = (etag or "") == (etag2 or "")
    assert (key_of(one) == key_of(other)) is same
    assert (pinning.revision_of([one]) == pinning.revision_of([other])) is same


def test_another_sha256_is_another_file() -> None:
    other = Digest(algorithm="sha256", value="cd" * 32)
    pairs = zip(identity(a_file("e", None, STRONG)), identity(a_file("e", None, other)), strict=True)
    assert all(one != two for one, two in pairs)


SHA = base64.b64encode(bytes(32)).decode()
HEADS: dict[str, tuple[dict[str, Any], bool]] = {
    "the same ETag": ({"ETag": '"one"'}, False),
    "another ETag": ({"ETag": '"two"', "ContentLength": 7}, True),
    "another ETag with a weak checksum": (
        {"ETag": '"two"', "ContentLength": 7, "ChecksumCRC32": "AAAAAA=="},
        True,
    ),
    "another ETag with a SHA-256": ({"ETag": '"two"', "ContentLength": 7, "ChecksumSHA256": SHA}, False),
    "as headers are read": ({"ETag": '"two"', "ContentLength": "7", "ChecksumSHA256": SHA}, False),
    "another size as well": ({"ETag": '"two"', "ContentLength": 8, "ChecksumSHA256": SHA}, True),
    "no size": ({"ETag": '"two"', "ChecksumSHA256": SHA}, True),
    "a SHA-256 of parts": (
        {"ETag": '"two"', "ContentLength": 7, "ChecksumSHA256": f"{SHA}-2", "ChecksumType": "COMPOSITE"},
        True,
    ),
}


@pytest.mark.parametrize(("head", "another"), HEADS.values(), ids=HEADS)
def test_a_bucket_object_changed_while_it_was_listed(head: dict[str, Any], another: bool) -> None:
    listed = object_listing.Listed(key="a", size=7, etag="one", storage_class="STANDARD")
    assert object_listing.is_another(listed, head) is another


def web(origin: WebOrigin, digest: bool) -> WebSource:
    """A list of one URL, with a SHA-256 and without a size, so that its server is asked."""
    url = f"{origin.url}/model.bin"
    file = sources.HttpFile(url=url, path="model.bin", sha256=sha256(BIG) if digest else None)
    return WebSource(sources.HttpSource(files=(file,)), Given(where=""), Network(), threading.Event())


@pytest.mark.parametrize("digest", [True, False], ids=["with its SHA-256", "without"])
def test_an_attempt_goes_on_with_the_bytes_of_another_mirror_where_a_sha256_judges(
    tmp_path: Path, digest: bool
) -> None:
    with WebOrigin({"model.bin": BIG}) as origin:
        origin.files["model.bin"].etag = '"east"'
        origin.strike("model.bin", Status(404), since=15 * CHUNK, times=ALWAYS)
        source = web(origin, digest)
        pinned = Resolved(revision=source.resolve(None).revision)
        with pytest.raises(Failure):
            Sync(origin, tmp_path, connections=1, source=source, resolved=pinned).run()
        had = origin.log.sent("model.bin")
        assert had > 14 * CHUNK
        origin.files["model.bin"].etag = '"west"'
        origin.clear()
        if digest:  # two machines behind one name
            for number in range(1, 100, 2):
                origin.strike("model.bin", EtagSwap("east"), first=number)
        again = Sync(origin, tmp_path, connections=3, source=web(origin, digest), resolved=pinned)
        if not digest:
            with pytest.raises(Failure) as changed:
                again.run()
            assert changed.value.reason is Reason.SOURCE_CHANGED
            return
        again.run()
        assert again.read("model.bin") == BIG
        assert origin.log.sent("model.bin") < len(BIG) + CHUNK, "nothing is fetched twice"
        assert again.state.retries == 0
