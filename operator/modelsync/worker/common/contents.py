"""What cannot be the file that its name promises: pages, errors and pointers that come in place of a model.

A login page, a web page about a file, a store's error and a Git LFS pointer all come with status 200, with a
length that agrees with the listing, even with a checksum of their own. Their first bytes show them. Only
what is surely another thing counts: whatever is no text stays as it is, and so does a page that was asked for
by the name of one.
"""

import re
from dataclasses import dataclass
from enum import Enum

from modelsync.api.common import display
from modelsync.api.reasons import Reason
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure

HEAD = 1024
"""Bytes from a file's beginning that show what it is; a Git LFS pointer has no more."""


class _Named(Enum):
    """What a name promises, by its endings."""

    BINARY = """
        safetensors gguf ggml ggjt bin pt pth pt2 ckpt pkl pickle joblib npy npz onnx onnx_data ort h5 hdf5
        keras msgpack tflite litertlm task pb mlmodel weights pdparams pdmodel pdiparams params nemo engine
        plan trt model spm parquet arrow feather zip tar gz tgz bz2 xz zst 7z whl mar ot rten wav mp3 flac
        png jpg jpeg gif webp mp4 pdf
    """
    JSON = "json jsonl ndjson ipynb"
    PAGE = "html htm xhtml shtml mhtml mht php asp aspx jsp"
    TEXT = """
        txt md rst csv tsv xml svg xsl yaml yml toml ini cfg py js css jinja j2 tmpl sh log sha256 md5 sig asc
    """


_KINDS = {ending: kind for kind in _Named for ending in kind.value.split()}
_MARK = b"\xef\xbb\xbf"
_NO_TEXT = bytes({*range(0x20)} - {*b"\t\n\f\r\x1b"})
"""Bytes that no text has (WHATWG's MIME Sniffing, section 3)."""
_DOCUMENT = re.compile(rb"<(?:!doctype html|html)[\s>]", re.IGNORECASE)
_TAG = re.compile(
    rb"<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]|<!--",
    re.IGNORECASE,
)
"""What browsers take for HTML (the same, section 7.1)."""
_XML = re.compile(rb"<\?xml\s|<error[\s>]", re.IGNORECASE)
_ERROR = re.compile(rb"[{]\s*\"(?:error|errors|message|msg|detail|code|status)\"\s*:")
"""The beginning of what APIs answer in JSON."""
_POINTER = re.compile(
    rb"version https?://[a-z0-9./-]+/spec/v1\r?\n(?:ext-[^\r\n]*\r?\n)*"
    rb"oid sha256:(?P<sha256>[0-9a-f]{64})\r?\nsize (?P<size>[0-9]{1,18})\s*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pointer:
    sha256: str
    size: int


def problem(path: str, size: int, head: bytes, media_type: str = "") -> Failure | None:
    """The failure when a file of `size` bytes cannot be what its name says; None for all else.

    `head` are its first HEAD bytes, `media_type` is the answer's Content-Type without parameters, if known.
    """
    text = head.removeprefix(_MARK).lstrip()
    if text[:1] not in (b"<", b"v", b"{") or len(text.translate(None, _NO_TEXT)) < len(text):
        return None
    if size <= HEAD and (found := _POINTER.fullmatch(text)):
        return _pointer(path, size, _Pointer(sha256=found["sha256"].decode(), size=int(found["size"])))
    what = _other(_promised(path), text, media_type)
    return None if what is None else _page(path, what)


def _promised(path: str) -> _Named | None:
    """What a name promises: by its last ending that is known, as `model.gguf.part2` is of a model."""
    endings = path.lower().rpartition("/")[2].split(".")[1:]
    kinds = [_KINDS[ending] for ending in endings if ending in _KINDS]
    if _Named.PAGE in kinds:
        return _Named.PAGE
    return kinds[-1] if kinds else None


def _other(promised: _Named | None, text: bytes, media_type: str) -> str | None:
    """What a text is that cannot be what was promised."""
    if promised is _Named.PAGE:
        return None
    if promised is _Named.BINARY or promised is _Named.JSON:
        if _TAG.match(text):
            return "an HTML page"
        if _XML.match(text):
            return "an XML document, as a store's error is,"
        if promised is _Named.BINARY and media_type.endswith("json") and _ERROR.match(text):
            return "an error in JSON"
        return None
    return "an HTML page" if media_type == "text/html" and _DOCUMENT.match(text) else None


def _page(path: str, what: str) -> Failure:
    text = (
        f"The origin has {what} in place of {names.printable(path)}, as a login, a proxy in between or the"
        " page about a file gives. Name the file's own address: with /resolve/ in place of /blob/ on a Hub,"
        " /raw/ on a forge; or take spec.source.huggingFace for a Hub's repository."
    )
    return Failure(Reason.ORIGIN_ERROR, text)


def _pointer(path: str, size: int, found: _Pointer) -> Failure:
    text = (
        f"The origin has a Git LFS pointer of {size} bytes in place of {names.printable(path)}, which has"
        f" {display.size(found.size)} and the SHA-256 {found.sha256}. Put the file itself there (git lfs"
        " pull), name an address that leads to it, or leave it out with spec.ignorePatterns."
    )
    return Failure(Reason.NOT_FOUND, text)
