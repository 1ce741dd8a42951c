"""Origins that are right in an unusual way: the file that a GET brings is published as it is."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import pytest

from dev.origins.content import Content, Fixed, Synthetic, read
from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from modelsync.worker.sources import http
from tests.origins.syncs import CHUNK, Sync
from tests.worker.test_pull import pull

LARGE, SMALL = Synthetic(5 * CHUNK + 321, 11), Fixed(b"\x08\x00weights")
BARE = {"kind": "web", "digests": False, "sizes": False}


def ended(folder: Path, laid: Mapping[str, tuple[str, ...]], content: Content, **how: object) -> list[str]:
    """The names of files, each with its faults, of which not just the origin's bytes were published."""
    names = {f"{number:02} {name}.bin": faults for number, (name, faults) in enumerate(laid.items())}
    with Origin(dict.fromkeys(names, content)) as origin:
        for name, faults in names.items():
            origin.strike(name, *faults)
        end = Sync(origin=origin, volume=folder, **BARE | {"max_retries": 1, "timeout": 1.0, **how}).run()  # type: ignore[arg-type]
        assert end.reason is Reason.SYNCED, end.message
    return [name for name in names if end.published.get(name) != read(content)]


HEADS = {
    **{f"HTTP {status}": (f"head:status={status}x*",) for status in (
        301, 400, 401, 403, 404, 405, 409, 410, 418, 429, 500, 501, 502, 503, 504
    )},
    "no bytes": ("head:length=0x*",),
    "another length": ("head:length=77x*",),
    "a length that is none": ("head:length=manyx*",),
    "no length": ("head:length=x*",),
    "a coding": ("head:header=Content-Encoding:gzipx*",),
    "another ETag": ('head:header=ETag:"other"x*',),
    "a page": ("head:htmlx*",),
    "a redirect to itself": ("head:redirectx*",),
    "no answer": ("head:silentx*",),
    "the end of the connection": ("head:dropx*",),
}  # fmt: skip
PROBES = {
    "no ranges": ("wholex*",),
    "no ranges, no length": ("wholex*", "chunkedx*"),
    "ranges refused by 400": ("status=400",),
    "ranges refused by 403": ("status=403",),
    "ranges refused by 416": ("status=416",),
    "ranges refused by 501": ("status=501",),
    "a range of an unknown total": ("header=Content-Range:bytes 0-0/*",),
    "a length of 0 for a range": ("wholex*", "length=0"),
    "trouble that passes": ("status=503",),
    "a login page first": ("html",),
    "a login page twice, with a tag": ("htmlx2", 'header=ETag:"page"x2'),
}


@pytest.mark.parametrize("content", [LARGE, SMALL, Fixed(b"")], ids=["large", "small", "empty"])
def test_whatever_a_head_says_the_get_decides(tmp_path: Path, content: Content) -> None:
    assert ended(tmp_path, HEADS, content) == []


@pytest.mark.parametrize("content", [LARGE, SMALL], ids=["large", "small"])
def test_whatever_a_first_byte_says_the_file_is_whole(tmp_path: Path, content: Content) -> None:
    assert ended(tmp_path, PROBES, content) == []


def test_a_file_is_asked_for_once_and_its_connection_kept(tmp_path: Path) -> None:
    with Origin({f"{number}.bin": SMALL for number in range(9)}) as origin:
        end = Sync(origin=origin, volume=tmp_path, connections=4, **BARE).run()  # type: ignore[arg-type]
        assert end.reason is Reason.SYNCED
        assert len(origin.log) == 18
        assert origin.accepted <= http.PROBES + 4


LABELS = (
    "gzip", "x-gzip", "GZIP", "br", "zstd", "deflate", "compress", "aws-chunked", "aws-chunked,gzip",
    "gzip, gzip", "identity", "utf-8", "none", "anything",
)  # fmt: skip
CODED_NAMES = {"a.tar.gz": "x-gzip", "b.TGZ": "gzip", "c.zst": "zstd", "d.br": "br", "e.bz2": "x-bzip2"}
CODED = gzip.compress(b"\0" * 300_000 + bytes(range(256)) * 400, mtime=0)


def labelled(label: str) -> str:
    return f"header=Content-Encoding:{label}x*"


@pytest.mark.parametrize("content", [Fixed(CODED * 400), Fixed(CODED)], ids=["large", "small"])
@pytest.mark.parametrize("kind", ["s3", "web"])
def test_what_is_stored_coded_is_published_as_it_is_stored(
    tmp_path: Path, kind: str, content: Content
) -> None:
    laid = {label: (labelled(label), f"head:{labelled(label)}") for label in LABELS}
    assert ended(tmp_path, laid, content, kind=kind) == []


def test_a_name_that_says_what_the_label_says_needs_no_range(tmp_path: Path) -> None:
    with Origin({name: CODED for name in CODED_NAMES}) as origin:
        for name, label in CODED_NAMES.items():
            origin.strike(name, "wholex*", labelled(label))
        end = Sync(origin=origin, volume=tmp_path, **BARE).run()  # type: ignore[arg-type]
    assert end.published == dict.fromkeys(CODED_NAMES, CODED), end.message


ON_THE_WAY = {
    "each answer is coded": ("gzipx*",),
    "coded, and no ranges": ("wholex*", "gzipx*"),
    "coded in chunks": ("wholex*", "gzipx*", "chunkedx*"),
    "a label, no ranges and no length": ("wholex*", "chunkedx*", labelled("gzip")),
}


@pytest.mark.parametrize("content", [LARGE, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("faults", ON_THE_WAY.values(), ids=ON_THE_WAY)
def test_what_was_coded_on_the_way_is_never_published(
    tmp_path: Path, faults: tuple[str, ...], content: Content
) -> None:
    with Origin({"model.bin": content}) as origin:
        origin.strike("model.bin", *faults)
        end = Sync(origin=origin, volume=tmp_path, max_retries=0, **BARE).run()  # type: ignore[arg-type]
    assert (end.reason, end.published) == (Reason.ORIGIN_ERROR, {})
    assert "Content-Encoding" in end.message or "another range" in end.message


@pytest.mark.parametrize(
    "faults", [("head:length=0x*",), ("head:status=404x*",), (labelled("gzip"), f"head:{labelled('gzip')}")]
)
def test_pull_has_these_files_too(tmp_path: Path, faults: tuple[str, ...]) -> None:
    with Origin({"model.bin": LARGE}) as origin:
        origin.strike("model.bin", *faults)
        done = pull(f"{origin.url}/web/model.bin", "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.bin").stat().st_size == LARGE.size
