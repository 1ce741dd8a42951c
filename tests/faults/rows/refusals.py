"""Refusals: statuses, waits that are asked for, redirects, listings, proxies."""

import datetime
import email.utils
from urllib.parse import quote

from dev.origins.files.listing import Listing
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Role
from modelsync.api.reasons import Reason
from modelsync.worker.common import retry
from modelsync.worker.http.connector import Network
from modelsync.worker.sources import pinning
from tests.faults.rows.row import PATH, Check, Row, replaced
from tests.origins.syncs import End, Sync

_ONE = {"max_retries": 1}


def _after(seconds: float) -> str:
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return quote(email.utils.format_datetime(when, usegmt=True))


def _waited(seconds: float) -> Check:
    """No request for the file came sooner than asked for."""

    def check(sync: Sync, end: End) -> str:
        entries = sync.origin.log.entries(role=Role.DATA, path=PATH)
        refused = [number for number, entry in enumerate(entries) if entry.status == 429]
        if not refused or refused[-1] + 1 >= len(entries):
            return "nothing was refused"
        gap = entries[refused[-1] + 1].time - entries[refused[-1]].time
        return "" if gap >= seconds else f"asked again after {gap:.2f} s"

    return check


def _endless(origin: Origin) -> None:
    origin.listing, origin.page_size = Listing.ENDLESS, 1000


def _by_proxy(origin: Origin) -> None:
    """The files are elsewhere, and the origin is the proxy on the way there."""
    origin.proxy, origin.url = origin.url, "https://models.invalid"


def _through(origin: Origin) -> Network:
    return Network(timeout_seconds=2, proxies={"https": origin.proxy, "http": origin.proxy})


_LIMITED = "header=Retry-After:"
ROWS = (
    *(
        Row(name=f"a burst of HTTP {status}", faults=(f"status={status}x3",), most_bytes=1.01,
            quick=int(status == 503))
        for status in (500, 502, 503, 504, 408)
    ),
    Row(name="HTTP 503 each time", faults=("status=503x*",), ends=Reason.ORIGIN_ERROR, sync=_ONE,
        most_requests=16),
    Row(name="429 with Retry-After in seconds", faults=("status=429", f"{_LIMITED}1"), check=_waited(0.9),
        ),
    Row(name="429 with Retry-After as a date", faults=("status=429", f"{_LIMITED}{_after(3600)}"),
        around=lambda: replaced(retry, "LONGEST_WAIT", 0.3), check=_waited(0.25)),
    Row(name="429 without Retry-After", faults=("status=429x2",)),
    Row(name="429 with an absurd Retry-After", faults=("status=429", f"{_LIMITED}99999999999999"),
        around=lambda: replaced(retry, "LONGEST_WAIT", 0.3), check=_waited(0.25)),
    Row(name="429 with a Retry-After that is no time", quick=0, faults=("status=429", f"{_LIMITED}soon")),
    Row(name="429 each time", quick=0, faults=("status=429x*", f"{_LIMITED}0x*"), ends=Reason.RATE_LIMITED,
        sync=_ONE, most_requests=16),
    Row(name="403 with Retry-After is a rate limit", faults=("status=403x2", f"{_LIMITED}0x2")),
    Row(name="401", faults=("status=401x*",), ends=Reason.AUTHENTICATION_FAILED, most_requests=16),
    Row(name="403", faults=("status=403x*",), ends=Reason.ACCESS_DENIED, most_requests=16),
    Row(name="403 of a gated repository names its page", kinds=("hub",),
        faults=("resolve:status=403x*", "resolve:header=X-Error-Code:GatedRepox*"), ends=Reason.ACCESS_DENIED,
        check=lambda sync, end: "" if "terms" in end.message else end.message, most_requests=16),
    Row(name="404", faults=("status=404x*",), kinds=("hub", "web"), ends=Reason.NOT_FOUND, most_requests=16),
    Row(name="410", quick=0, faults=("status=410x*",), kinds=("hub", "web"), ends=Reason.NOT_FOUND,
        most_requests=16),
    # What a bucket listed and has no more is another content: the next attempt lists it again.
    *(
        Row(name=f"{status} of a listed object", quick=int(status == 404), faults=(f"status={status}x*",),
            kinds=("s3",), ends=Reason.SOURCE_CHANGED, most_requests=16)
        for status in (404, 410)
    ),
    Row(name="HEAD is forbidden", faults=("head:status=403x*",), kinds=("web",),
        sync={"digests": False, "sizes": False}, full=4),
    Row(name="an archived object", faults=("head:header=x-amz-storage-class:GLACIERx*",), kinds=("s3",),
        ends=Reason.ACCESS_DENIED, full=4),
    Row(name="a redirect loop", faults=("redirectx*",), ends=Reason.ORIGIN_ERROR, sync=_ONE,
        most_requests=60),
    Row(name="a redirect to a file of the machine", quick=0, faults=("redirect=file:///etc/hostnamex*",),
        ends=Reason.ORIGIN_ERROR, sync=_ONE),
    Row(name="a listing without an end", origin=_endless, kinds=("hub", "s3"), ends=Reason.INVALID_SPEC,
        around=lambda: replaced(pinning, "MOST_LISTED", 5_000), full=4),
    Row(name="a burst of HTTP 503 for the listing", listing=("list:status=503x2",), kinds=("hub", "s3"),
        full=4),
    Row(name="HTTP 503 for the first question", listing=("info:status=503x2",), kinds=("hub",), full=4),
    Row(name="a proxy that asks for a password (407)", origin=_by_proxy, kinds=("web",),
        listing=("connect:status=407x*",), ends=Reason.NETWORK_ERROR, network=_through, sync=_ONE,
        check=lambda sync, end: "" if "worker.proxy" in end.message else end.message, full=4),
    Row(name="a proxy that finds no way (502)", quick=0, origin=_by_proxy, kinds=("web",),
        ends=Reason.NETWORK_ERROR, network=_through, sync=_ONE, full=4),
)  # fmt: skip
