"""Objects that change under way, ETags that say so or do not, and links that expire."""

from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Role
from modelsync.api.reasons import Reason
from tests.faults.rows.row import PATH, Row
from tests.origins.syncs import End, Sync

_BARE = {"digests": False, "sizes": False}


def _no_ranged_request_without_if_range(sync: Sync, end: End) -> str:
    later = [entry for entry in sync.origin.log.entries(role=Role.DATA, path=PATH) if entry.span[0] > 0]
    loose = [entry for entry in later if "if-range" not in entry.request.headers]
    return f"{len(loose)} ranges of an unpinned object" if loose else ""


def _no_sha256(origin: Origin) -> None:
    for found in origin.files.values():
        found.checksum = None


ROWS = (
    Row(name="every range of an unverified object is pinned", kinds=("web",), sync=_BARE,
        check=_no_ranged_request_without_if_range, most_bytes=1.0, full=4),
    Row(name="an ETag that differs once", faults=("etag-swap@3",), most_bytes=3.2),
    Row(name="ETags that differ with each node, the SHA-256 is known", faults=("etag-swap=eachx*",),
        most_bytes=1.0),
    Row(name="ETags other than the listed one are a changed source, no SHA-256 known", kinds=("s3",),
        faults=("etag-swapx*",), origin=_no_sha256, ends=Reason.SOURCE_CHANGED, most_bytes=2.2),
    Row(name="a weak ETag", faults=("weak-etagx*", "head:weak-etagx*"), kinds=("web",), sync=_BARE,
        most_bytes=1.0),
    Row(name="a file of the same size put in its place", faults=("replace@3",), kinds=("hub", "web"),
        ends=Reason.CHECKSUM_MISMATCH, most_bytes=3.2),
    Row(name="a file of the same size put in its place in a bucket", faults=("replace@3",), kinds=("s3",),
        ends=Reason.SOURCE_CHANGED, most_bytes=3.2),
    Row(name="a file of the same size and ETag put in its place", quick=0, faults=("replace=quiet@3",),
        ends=Reason.CHECKSUM_MISMATCH, most_bytes=3.2),
    Row(name="a file of the same size put in its place, no checksum known", faults=("replace@3",),
        kinds=("web",), sync=_BARE, ends=Reason.SOURCE_CHANGED, most_bytes=3.2),
    Row(name="the end of another version (a hybrid)", faults=("hybrid@60%",)),
    Row(name="the end of another version each time", quick=0, faults=("hybrid@60%x*",),
        ends=Reason.CHECKSUM_MISMATCH),
    Row(name="a CDN node with an old version", faults=("old@2",), most_bytes=3.2),
    Row(name="CDN nodes with old versions now and then", faults=("old@2", "old@9"), most_bytes=4.2,
        kinds=("hub", "web")),
    Row(name="CDN nodes with an old version only", quick=0, faults=("oldx*",), kinds=("hub", "web"),
        ends=Reason.CHECKSUM_MISMATCH, most_bytes=3.2),
    Row(name="a signed URL that expires in the middle", faults=("expire@50%",), kinds=("hub",),
        most_bytes=1.01),
    Row(name="signed URLs that expire again and again", faults=("expire@2", "expire@4", "expire@6"),
        kinds=("hub",), sync={"connections": 1}, most_bytes=1.01),
    Row(name="signed URLs that never work", quick=0, faults=("expirex*",), kinds=("hub",),
        ends=Reason.ACCESS_DENIED),
    Row(name="403 for an expired presigned URL of a bucket", faults=("status=403@3",), kinds=("s3",),
        most_bytes=1.01),
    Row(name="416 in the middle", faults=("status=416@3",)),
    Row(name="416 each time", quick=0, faults=("status=416x*",), ends=Reason.SOURCE_CHANGED),
)  # fmt: skip
