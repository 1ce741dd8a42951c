"""Connections that break, stall, trickle or are never made."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from modelsync.worker.http import connector, dns_cache
from tests.faults.case import Case, Tally
from tests.faults.rows import row as rows
from tests.faults.rows.row import PINNED, SUITE, Row
from tests.origins.syncs import End, Sync

SHORT: dict[str, Any] = {"timeout": 0.3, "max_retries": 1}
"""For faults that only time shows."""
HOST = "models.invalid"


def _cuts(seed: int, count: int) -> Tally:
    """Cut, or reset, at each percentage of the file, by each kind of source."""
    tally = Tally()
    for number in range(count):
        percent = (number if count > 100 else number * 101 // count) % 101
        fault = f"{'reset' if number % 2 else 'cut'}@{percent}%"
        # A reset discards what the worker's kernel holds, a chunk of each connection at most.
        row = Row(name=fault, kinds=PINNED, faults=(fault,), most_bytes=1.9, most_requests=20)
        one = rows.case(row).run(seed + number // 101, 1)
        tally.add(one.passed == 1, f"{fault}: {one.failures}")
    return tally


def _many_cuts(seed: int, count: int) -> Tally:
    """One file that is cut `count` times, every few bytes."""
    size = max(1, count) * 100 + 50_000

    def enough(sync: Sync, end: End) -> str:
        cuts = sum(bool(entry.faults) for entry in sync.origin.log)
        return "" if cuts >= count else f"only {cuts} cuts"

    row = Row(
        name="",
        faults=(f"cut=100x{count}",),
        size=size,
        kinds=("web",),
        sync={"connections": 8, "chunk": 64 * 1024, "max_retries": 3, "deadline": 60},
        most_bytes=1.05,
        most_requests=count + count // 10 + 200,
        check=enough,
    )
    one = rows.case(row).run(seed, 1)
    tally = Tally(tried=count, passed=count if one.passed else 0, failures=one.failures)
    return tally


@contextlib.contextmanager
def resolving(*failures: bool, dead_first: bool = False) -> Iterator[None]:
    """Let the name of HOST fail to resolve in this order, and mean 127.0.0.1 afterwards."""
    left, genuine = list(failures), socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != HOST:
            return genuine(host, port, *rest, **more)
        if left and left.pop(0):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = genuine("127.0.0.1", port, *rest, **more)
        return genuine("127.0.0.2", port, *rest, **more) + found if dead_first else found

    socket.getaddrinfo = look_up
    known, connector.NAMES = connector.NAMES, dns_cache.Names()  # no case may live on the names of another
    try:
        yield
    finally:
        socket.getaddrinfo, connector.NAMES = genuine, known


def _by_name(origin: Origin) -> None:
    origin.url = origin.url.replace("127.0.0.1", HOST)


def _nobody_listens(origin: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        origin.url = f"http://127.0.0.1:{closed.getsockname()[1]}"


def _few_connections(origin: Origin) -> None:
    origin.most_connections = 2


def _names_host(sync: Sync, end: End) -> str:
    return "" if HOST in end.message else f"the message does not name the host: {end.message}"


ROWS = (
    Row(
        name="a silence in the middle ends with the timeout", kinds=PINNED, faults=("stall@30%",), sync=SHORT
    ),
    Row(
        name="silence each time is a network error",
        quick=0,
        faults=("stall@0%x*",),
        ends=Reason.NETWORK_ERROR,
        sync=SHORT,
    ),
    Row(name="an answer that never begins is left (half-open connection)", faults=("silent",), sync=SHORT),
    Row(
        name="a trickle of bytes is left for another connection (slow-loris)",
        faults=("slow=40",),
        sync=SHORT | {"connections": 1},
    ),
    Row(
        name="a trickle each time ends as a network error",
        faults=("slow=40x*",),
        ends=Reason.NETWORK_ERROR,
        sync=SHORT | {"connections": 1},
        most_requests=20,
        quick=0,
    ),
    Row(
        name="a slow origin above the floor is waited for",
        faults=("slow=40000x*",),
        size=60_000,
        sync=SHORT | {"connections": 1},
        most_bytes=1.0,
    ),
    Row(
        name="kept-alive connections that were closed meanwhile",
        kinds=PINNED,
        faults=("idle-closex*",),
        most_bytes=1.0,
    ),
    Row(name="connections closed without an answer", kinds=PINNED, faults=("dropx3",), most_bytes=1.0),
    Row(
        name="connections closed without an answer, always",
        quick=0,
        faults=("dropx*",),
        ends=Reason.NETWORK_ERROR,
        sync={"max_retries": 1},
        most_requests=16,
    ),
    Row(
        name="more connections than the origin wants",
        origin=_few_connections,
        kinds=("hub", "web"),
        sync={"connections": 4, "max_retries": 8},
    ),
    Row(
        name="an origin that refuses all connections",
        origin=_nobody_listens,
        kinds=("web",),
        ends=Reason.NETWORK_ERROR,
        sync={"max_retries": 1},
        most_requests=0,
    ),
    Row(
        name="a name that does not resolve names the host",
        origin=_by_name,
        around=lambda: resolving(*[True] * 99),
        kinds=("web", "hub"),
        ends=Reason.NETWORK_ERROR,
        sync={"max_retries": 1},
        most_requests=0,
        check=_names_host,
    ),
    Row(
        name="a name that does not resolve for a moment",
        quick=0,
        origin=_by_name,
        around=lambda: resolving(True, True),
        kinds=("web",),
    ),
    Row(
        name="a first address that nobody answers at",
        origin=_by_name,
        around=lambda: resolving(dead_first=True),
        kinds=("web", "hub"),
    ),
)
CASES: tuple[Case, ...] = (
    Case(suite=SUITE, name="a cut or a reset at every percentage of a file", run=_cuts, full=303, quick=6),
    Case(suite=SUITE, name="10,000 cuts in one file", run=_many_cuts, full=10_000, quick=60),
)
