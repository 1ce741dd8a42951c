"""What comes in place of a model is refused under a model's name, and nothing that may be one."""

import hashlib
import json
import pickle
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.origins.content import Fixed, hexdigest
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Object
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Engine, Verification
from modelsync.worker.common import contents
from tests.origins.syncs import Sync
from tests.worker.test_pull import pull

PAGE = b"<!DOCTYPE html><html><body>" + b"Please sign in. " * 300 + b"</body></html>"
XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
ERROR = b'{"error": "Repository not found"}'
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 4976698672\n"
WEIGHTS = (
    "model.safetensors", "a/pytorch_model-00001-of-00002.bin", "m.gguf", "M.GGUF", "m.gguf.part1of2", "x.pt",
    "model.onnx", "unet/model.onnx_data", "a.tar.gz", "m.pth", "consolidated.00.pth", "m.safetensors.aa",
)  # fmt: skip


def found(path: str, data: bytes, media_type: str = "") -> Reason | None:
    failure = contents.problem(path, len(data), data[: contents.HEAD], media_type)
    return None if failure is None else failure.reason


STRANGERS = {
    "a login page": (PAGE, Reason.ORIGIN_ERROR),
    "a page in upper case": (b"<HTML><HEAD><TITLE>302 Found</TITLE>", Reason.ORIGIN_ERROR),
    "a page behind blanks": (b"\r\n\n  <!doctype html>\n<html>", Reason.ORIGIN_ERROR),
    "a page behind a byte order mark": (b"\xef\xbb\xbf<!DOCTYPE html>", Reason.ORIGIN_ERROR),
    "a page that begins with a comment": (b"<!-- build 7 -->\n<html>", Reason.ORIGIN_ERROR),
    "a page in Latin-1": ("<html><body>Zugriff verweigert: ungültig".encode("latin-1"), Reason.ORIGIN_ERROR),
    "a page of scripts": (b"<script>location.href='/login'</script>", Reason.ORIGIN_ERROR),
    "a store's error": (XML, Reason.ORIGIN_ERROR),
    "a store's error without a prologue": (b"<Error><Code>NoSuchKey</Code></Error>", Reason.ORIGIN_ERROR),
    "a pointer": (POINTER, Reason.NOT_FOUND),
    "a pointer with the lines of Windows": (POINTER.replace(b"\n", b"\r\n"), Reason.NOT_FOUND),
    "a pointer without its last line end": (POINTER.rstrip(), Reason.NOT_FOUND),
    "a pointer of an extension": (
        POINTER.replace(b"\noid", b"\next-0-case sha256:" + b"cd" * 32 + b"\noid"), Reason.NOT_FOUND
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", WEIGHTS)
@pytest.mark.parametrize(("data", "reason"), STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_under_a_models_name_is_refused(path: str, data: bytes, reason: Reason) -> None:
    assert found(path, data) is reason


def test_a_pointer_is_described_by_what_it_points_to() -> None:
    failure = contents.problem("model.safetensors", len(POINTER), POINTER)
    assert failure is not None
    for text in ("Git LFS pointer", "model.safetensors", "4.98GB", "ab" * 32, "spec.ignorePatterns"):
        assert text in failure.message


ALSO_REFUSED = {
    "a page as JSON": ("config.json", PAGE, ""),
    "an XML document as JSON": ("model.safetensors.index.json", XML, ""),
    "a pointer as JSON": ("tokenizer.json", POINTER, ""),
    "a pointer as a vocabulary": ("merges.txt", POINTER, ""),
    "a pointer as anything": ("README", POINTER, ""),
    "a page, said to be one, as text": ("merges.txt", PAGE, "text/html"),
    "a page, said to be one, as Markdown": ("README.md", PAGE, "text/html"),
    "a page, said to be one, without ending": ("LICENSE", PAGE, "text/html"),
    "an error of an API, said to be JSON": ("model.safetensors", ERROR, "application/json"),
    "an error of an API by its own type": ("model.gguf", b'{\n "detail": 1}', "application/problem+json"),
}


@pytest.mark.parametrize(("path", "data", "media"), ALSO_REFUSED.values(), ids=ALSO_REFUSED)
def test_a_type_or_a_narrower_name_shows_more(path: str, data: bytes, media: str) -> None:
    assert found(path, data, media) is not None


def _zip() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"<html>")
    return file.getvalue()


TENSORS = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
SAFETENSORS = len(TENSORS).to_bytes(8, "little") + TENSORS + bytes(4)
LEGITIMATE = {
    "safetensors": ("model.safetensors", SAFETENSORS, "text/html"),
    "safetensors whose length is '<'": ("a.safetensors", b"<" + bytes(7) + b"{}" + b" " * 58, "text/html"),
    "safetensors whose length is '{'": ("a.safetensors", b"{" + bytes(7) + b"{}", "application/json"),
    "gguf": ("m.gguf", b"GGUF\3\0\0\0", "text/html"),
    "a pickle of protocol 0": ("m.bin", pickle.dumps({"html": "<html>"}, protocol=0), "text/html"),
    "a pickle": ("m.pkl", pickle.dumps(["<html>"]), "text/html"),
    "a zip": ("m.pt", _zip(), "text/html"),
    "raw floats that begin as a tag does": ("m.bin", b"<p>\0\0\x80?\0\0\0@" * 90, "text/html"),
    "onnx": ("m.onnx", b"\x08\x07\x12\x07pytorch", "text/html"),
    "a vocabulary that begins with a tag": ("vocab.txt", b"<unk>\n<s>\n</s>\n<p>\n", "text/html"),
    "a vocabulary in a model's name": ("spm.model", b"<unk>\t0\n<s>\t0\n", ""),
    "Markdown that begins with HTML": ("README.md", b'<div align="center">\n<h1>A model</h1>', "text/html"),
    "Markdown without a type": ("README.md", PAGE, ""),
    "JSON": ("config.json", b'{"error": null}', "text/html"),
    "JSON in lines": ("a.jsonl", b'{"html": "<html>"}\n', "text/html"),
    "a JSON model": ("m.model", b'{"version": [1, 7]}', "application/json"),
    "a page": ("index.html", PAGE, "text/html"),
    "a page in upper case": ("INDEX.HTM", PAGE, "text/html"),
    "a template of a page": ("chat.html.j2", PAGE, "text/html"),
    "OpenVINO": ("openvino_model.xml", b'<?xml version="1.0"?><net name="m"/>', "text/xml"),
    "a drawing": ("logo.svg", b"<svg></svg>", ""),
    "Jinja": ("chat_template.jinja", b"{%- if tools %}", "text/html"),
    "a text about pointers": ("README.md", POINTER + b"is how a pointer looks.\n", ""),
    "a pointer's beginning, and more than one has": ("notes.txt", POINTER + b"\n" * 2000 + b"x", ""),
    "nothing": ("model.safetensors", b"", "text/html"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "data", "media"), LEGITIMATE.values(), ids=LEGITIMATE)
def test_what_may_be_the_file_is_taken(path: str, data: bytes, media: str) -> None:
    assert found(path, data, media) is None


@given(st.sampled_from(WEIGHTS), st.binary(max_size=600), st.sampled_from(["", "text/html"]))
def test_no_bytes_but_text_are_refused(path: str, data: bytes, media: str) -> None:
    assert found(path, b"\0" + data, media) is None
    assert found(path, data + b"\x02" * 4, media) is None


CASES = {"a page": (PAGE, "HTML page"), "a pointer": (POINTER, "Git LFS pointer"), "an error": (XML, "XML")}
WAYS = {
    "web": {"kind": "web", "digests": False, "sizes": False},
    "web, of a given size": {"kind": "web", "digests": False},
    "web, with a checksum": {"kind": "web"},
    "web, sizes alone": {"kind": "web", "digests": False, "verification": Verification.SIZE},
    "s3": {"kind": "s3"},
    "s3, by another engine": {"kind": "s3", "engine": Engine.HF_TRANSFER},
    "hub": {"kind": "hub"},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("data", "says"), CASES.values(), ids=CASES)
def test_nothing_is_published_and_a_later_attempt_asks_again(
    tmp_path: Path, way: dict[str, object], data: bytes, says: str
) -> None:
    good = b"\x08" + data[1:]
    stranger = Object(content=Fixed(data), etag='"one"', checksum=None, lfs=False)
    with Origin({"config.json": b"{}", "model.safetensors": stranger}) as origin:
        end = Sync(origin=origin, volume=tmp_path, **way).run()  # type: ignore[arg-type]
        assert says in end.message, end
        assert end.reason in (Reason.ORIGIN_ERROR, Reason.NOT_FOUND)
        assert "model.safetensors" not in end.published
        stranger.content = Fixed(good)
        again = Sync(origin=origin, volume=tmp_path, **way).run()  # type: ignore[arg-type]
        assert again.reason is Reason.SYNCED, again
        assert again.published["model.safetensors"] == good, again


def test_what_an_earlier_version_published_is_not_taken_for_the_file(tmp_path: Path) -> None:
    stranger = Object(content=Fixed(PAGE), etag='"one"')
    with Origin({"model.safetensors": stranger}) as origin:
        lying = tmp_path / "model" / "model.safetensors"
        lying.parent.mkdir()
        lying.write_bytes(PAGE)
        assert hashlib.sha256(PAGE).hexdigest() == hexdigest(stranger.content, "sha256")
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is Reason.ORIGIN_ERROR
    assert "HTML page" in end.message


def test_a_text_of_the_type_of_pages_is_judged_by_both(tmp_path: Path) -> None:
    with Origin({"merges.txt": PAGE, "index.html": PAGE, "README.md": b"<p align=center>"}) as origin:
        for name in origin.files:
            origin.strike(name, "header=Content-Type:Text/HTML; charset=utf-8x*")
        end = Sync(origin=origin, volume=tmp_path, kind="web", digests=False, sizes=False).run()
        assert "merges.txt" in end.message, end
        del origin.files["merges.txt"]
        end = Sync(origin=origin, volume=tmp_path, kind="web", digests=False, sizes=False).run()
    assert end.reason is Reason.SYNCED, end.message


@pytest.mark.parametrize(("data", "says"), CASES.values(), ids=CASES)
def test_pull_refuses_them_in_its_own_words(tmp_path: Path, data: bytes, says: str) -> None:
    with Origin({"model.safetensors": data}) as origin:
        done = pull(f"{origin.url}/web/model.safetensors", "--to", tmp_path)
    assert done.returncode in (13, 52)
    assert says in done.stderr
    assert "spec." not in done.stderr
    assert not (tmp_path / "model.safetensors").exists()
