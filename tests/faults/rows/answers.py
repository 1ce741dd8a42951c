"""Answers that are not what was asked for: other ranges, encodings, lengths, pages, bytes."""

from modelsync.api.reasons import Reason
from tests.faults.rows.row import PINNED, Row

_ONE = {"max_retries": 1}
_SMALL = 20_000
"""Bytes of a file that one request fetches whole."""
ROWS = (
    Row(name="another range than asked for", kinds=PINNED, faults=("shiftx2",), most_bytes=1.0),
    Row(
        name="another range each time",
        kinds=PINNED,
        quick=0,
        faults=("shiftx*",),
        ends=Reason.ORIGIN_ERROR,
        sync=_ONE,
    ),
    Row(
        name="a range that overlaps what is there",
        kinds=PINNED,
        quick=0,
        faults=("shift=4096@2x2",),
        most_bytes=1.0,
    ),
    Row(
        name="the bytes of another place under the right head", faults=("misplaced@2",), kinds=("hub", "web")
    ),
    Row(name="200 instead of 206 each time", kinds=PINNED, faults=("wholex*",)),
    Row(
        name="200 instead of 206 in the middle", kinds=PINNED, quick=0, faults=("whole@3x2",), most_bytes=3.2
    ),
    Row(name="multipart/byteranges", kinds=PINNED, faults=("multipartx2",)),
    Row(
        name="multipart/byteranges each time",
        quick=0,
        faults=("multipartx*",),
        ends=Reason.ORIGIN_ERROR,
        sync=_ONE,
    ),
    Row(name="gzip by surprise", kinds=PINNED, faults=("gzipx2",)),
    Row(name="gzip each time", quick=0, faults=("gzipx*",), ends=Reason.ORIGIN_ERROR, sync=_ONE),
    Row(name="gzip that does not say so", kinds=PINNED, faults=("gzip=quiet",)),
    Row(
        name="gzip of a small file that does not say so",
        kinds=PINNED,
        quick=0,
        faults=("gzip=quiet",),
        size=_SMALL,
    ),
    Row(name="a login page with 200", kinds=PINNED, faults=("htmlx2",)),
    Row(name="a login page for a small file", kinds=PINNED, quick=0, faults=("htmlx2",), size=_SMALL),
    Row(
        name="a login page each time names what came",
        faults=("htmlx*",),
        ends=Reason.ORIGIN_ERROR,
        sync=_ONE,
        check=lambda sync, end: "" if "HTML" in end.message else end.message,
    ),
    Row(name="a Content-Length that is too small", kinds=PINNED, faults=("length=-5x2",)),
    Row(
        name="a Content-Length that is too small, small file",
        kinds=PINNED,
        quick=0,
        faults=("length=-5",),
        size=_SMALL,
    ),
    Row(name="a Content-Length that is too large", kinds=PINNED, faults=("length=+5x2",)),
    Row(
        name="a Content-Length that is too large, small file",
        kinds=PINNED,
        quick=0,
        faults=("length=+5",),
        size=_SMALL,
    ),
    Row(name="no Content-Length, the body ends with the connection", kinds=PINNED, faults=("length=x*",)),
    Row(name="a negative Content-Length", kinds=PINNED, faults=("negative-lengthx2",)),
    Row(name="a Content-Length beyond 2^63", kinds=PINNED, faults=("length=9223372036854775809x2",)),
    Row(name="a Content-Length of thirty digits", quick=0, faults=(f"length={'9' * 30}x2",)),
    Row(name="a Content-Length that is no number", quick=0, faults=("length=manyx2",)),
    Row(name="a body in chunks without a length", kinds=PINNED, faults=("chunkedx*",)),
    Row(name="chunks that end without an end", kinds=PINNED, faults=("chunkedx*", "cut@40%")),
    Row(name="no Content-Length and a cut", kinds=PINNED, quick=0, faults=("length=x*", "cut@40%")),
    Row(
        name="bytes behind the end of every body", kinds=PINNED, faults=("extrax*",), sync={"max_retries": 5}
    ),
    Row(name="a flipped bit is fetched again", faults=("flip@50%",)),
    Row(name="a flipped bit in a small file", quick=0, faults=("flip@50%",), size=_SMALL),
    Row(name="flipped bits each time", faults=("flip@50%x*",), ends=Reason.CHECKSUM_MISMATCH),
    Row(name="a file that is shorter than announced", faults=("truncate@90%x*",), ends=Reason.SIZE_MISMATCH),
    Row(
        name="a small file that is shorter than announced",
        quick=0,
        faults=("truncate@90%x*",),
        size=_SMALL,
        ends=Reason.SIZE_MISMATCH,
    ),
)
