"""The manifest's text: the same value back, whatever is in it."""

import datetime
import io
import os
from pathlib import Path

import pytest

from modelsync.api.protocol import Manifest, ManifestFile, WorkRequest
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import Source
from modelsync.worker.attempt import planning
from modelsync.worker.common import model
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Listing, RemoteFile
from modelsync.worker.publishing import existing, manifests, publisher
from modelsync.worker.storage.safe_directory import Tree

FILES = (
    manifests.entry(path='a "quoted".bin', size=2**53, sha256="ab" * 32, verified_by="sha256", etag=None),
    manifests.entry(path="模型/files: []", size=0, sha256=None, verified_by="size", etag='"files": []'),
)


def a_manifest(files: tuple[ManifestFile, ...]) -> Manifest:
    return Manifest(
        uid="uid-1",
        namespace="team",
        name="llama",
        source="hub",
        digest="sha256:00",
        files=files,
        completed_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    )


@pytest.mark.parametrize("files", [(), FILES[:1], FILES], ids=["none", "one", "two"])
def test_the_text_gives_the_manifest_back(files: tuple[ManifestFile, ...]) -> None:
    manifest = a_manifest(files)
    text = b"".join(manifests.text(manifest))
    assert Manifest.model_validate_json(text) == manifest
    assert text.endswith(b"}\n")
    assert manifests.read(text) == {file.path: file for file in files}


@pytest.mark.parametrize("files", [(), FILES[:1], FILES], ids=["none", "one", "two"])
def test_a_file_is_read_line_by_line_to_the_same(files: tuple[ManifestFile, ...]) -> None:
    manifest = a_manifest(files).replace(name='"files": [', source='\n"files": [\n')
    text = b"".join(manifests.text(manifest))
    assert manifests.load(io.BytesIO(text), 9) == {file.path: file for file in files}


def test_a_manifest_of_another_hand_is_read_as_well() -> None:
    whole = a_manifest(FILES).model_dump_json(by_alias=True).encode()
    assert list(manifests.read(whole).values()) == list(FILES)
    assert list(manifests.load(io.BytesIO(whole), 9).values()) == list(FILES)


def test_own_files_are_known_again_however_long_their_names_are(tmp_path: Path) -> None:
    """As many files with as long names as a plan may have; more than the 64 MiB that were read once."""
    count = model.MOST_FILES // 4
    each = planning.MOST_PATH_BYTES // model.MOST_FILES * 4
    paths = [f"{number:06}/" + "/".join(["x" * 200] * 9)[: each - 7] for number in range(count)]
    files = tuple(
        manifests.entry(path=path, size=1, sha256="ab" * 32, verified_by="sha256", etag=None)
        for path in paths
    )
    with Tree.open(tmp_path, "") as target:
        publisher.write_manifest(target, a_manifest(files))
        assert (tmp_path / existing.MANIFEST).stat().st_size > 64 << 20
        found = existing.read_manifest(target, os.geteuid()).files
    assert len(found) == count and all(path in found for path in paths)


def test_more_entries_than_a_plan_may_have_are_no_manifest_of_ours() -> None:
    text = b"".join(manifests.text(a_manifest(FILES)))
    with pytest.raises(ValueError, match="not a manifest"):
        manifests.load(io.BytesIO(text), 1)


def test_a_torn_file_is_refused_wherever_it_ends() -> None:
    text = b"".join(manifests.text(a_manifest(FILES)))
    for end in range(text.index(b"\n ]")):
        with pytest.raises(ValueError):
            manifests.load(io.BytesIO(text[:end]), 9)


def test_paths_that_are_too_long_together_are_refused_before_the_first_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "MOST_PATH_BYTES", 10)
    request = WorkRequest(uid="u", namespace="n", name="m", attempt=1, source=Source())
    for path, right in (("x" * 10, True), ("x" * 11, False), ("é" * 6, False)):
        files = [RemoteFile(path=path, size=1, locator="a")]
        if right:
            planning.make_plan(Listing(revision="r", files=files), request)
            continue
        with pytest.raises(Failure, match="allowPatterns") as caught:
            planning.make_plan(Listing(revision="r", files=files), request)
        assert caught.value.reason is Reason.INVALID_SPEC


TORN = [b"", b"{", b"[]", b"null", b"{}", b'{"files": {}}', b'{"files": [1]}', b'{"files": [{"path": "a"}]}',
        b'{"files": [{"path": 1, "size": 1, "verifiedBy": "size"}]}', b'{"verifiedBy": "size"}',
        b'{"path": "a", "size": 1, "verifiedBy": "size"}', b"[" * 100_000, b"\xff"]  # fmt: skip


@pytest.mark.parametrize("content", TORN, ids=lambda content: ascii(content[:40]))
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        manifests.read(content)
    with pytest.raises(ValueError):
        manifests.load(io.BytesIO(content), 9)


def test_a_field_that_looks_like_the_list_of_files_does_no_harm() -> None:
    manifest = a_manifest(FILES).replace(name='"files": []', source='"files": []')
    assert Manifest.model_validate_json(b"".join(manifests.text(manifest))) == manifest


def test_an_entry_is_what_validation_makes() -> None:
    for entry in FILES:
        assert ManifestFile.model_validate_json(entry.model_dump_json(by_alias=True)) == entry
