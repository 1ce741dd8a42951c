"""The manifest's text: the same value back, whatever is in it."""

import datetime

import pytest

from modelsync.api.wire import Manifest, ManifestFile
from modelsync.worker import manifests

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


def test_a_manifest_of_another_hand_is_read_as_well() -> None:
    whole = a_manifest(FILES).model_dump_json(by_alias=True)
    assert list(manifests.read(whole.encode()).values()) == list(FILES)


TORN = [b"", b"{", b"[]", b"null", b"{}", b'{"files": {}}', b'{"files": [1]}', b'{"files": [{"path": "a"}]}',
        b'{"files": [{"path": 1, "size": 1, "verifiedBy": "size"}]}', b'{"verifiedBy": "size"}',
        b'{"path": "a", "size": 1, "verifiedBy": "size"}', b"[" * 100_000, b"\xff"]  # fmt: skip


@pytest.mark.parametrize("content", TORN, ids=lambda content: ascii(content[:40]))
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        manifests.read(content)


def test_a_field_that_looks_like_the_list_of_files_does_no_harm() -> None:
    manifest = a_manifest(FILES).but(name='"files": []', source='"files": []')
    assert Manifest.model_validate_json(b"".join(manifests.text(manifest))) == manifest


def test_an_entry_is_what_validation_makes() -> None:
    for entry in FILES:
        assert ManifestFile.model_validate_json(entry.model_dump_json(by_alias=True)) == entry
