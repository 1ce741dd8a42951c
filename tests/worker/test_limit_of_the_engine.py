"""The bandwidth limit, measured where it counts: bytes that the engine receives from a fast origin.

The origin is nginx, which could send a hundred times as much, and every window is measured after the start,
so what is asserted is the steady flow that others on the link feel.
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.origins.programs import nginx
from modelsync.api import naming, protocol
from modelsync.api.source import sources
from modelsync.api.source.transfer import Verification
from modelsync.worker.attempt import progress_server
from modelsync.worker.attempt.pipeline import run
from modelsync.worker.common.failures import Interrupted
from modelsync.worker.common.model import RemoteFile
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.context import Context
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from tests.worker.syncs import ListSource

pytestmark = pytest.mark.timing
MB = 1_000_000
SIZE = 1 << 30
WINDOW = 2.5
NEVER_SET = threading.Event()
"""Never set: windows are times, by their nature."""


@contextlib.contextmanager
def downloading(folder: Path, rate: int | None, files: int = 1) -> Iterator[tuple[State, Limiter]]:
    """The engine at work on sparse files, with 8 connections, until the block ends."""
    state, limiter, stop = State(Meter()), Limiter(rate), threading.Event()
    with nginx.running(folder) as origin:
        for number in range(files):
            with open(folder / "files" / str(number), "wb") as file:
                file.truncate(SIZE // files)
        listed = [RemoteFile(path=str(n), size=SIZE // files, locator=str(n)) for n in range(files)]
        web = sources.HttpSource(files=(sources.HttpFile(url=f"{origin.url}/0", path="0"),))
        request = protocol.WorkRequest(
            uid="u",
            namespace="n",
            name="m",
            attempt=1,
            source=sources.Source(http=web),
            verification=Verification.SIZE,
            tuning=protocol.Tuning(chunk_bytes=8 << 20 if files == 1 else SIZE // files),
        )
        context = Context(
            request=request.replace(sub_path="model"),
            source=ListSource(origin.url, listed),
            network=Network(),
            state=state,
            limiter=limiter,
            stop=stop,
            volume=folder,
        )

        def work() -> None:
            with contextlib.suppress(Interrupted):
                run(context)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield state, limiter
        finally:
            stop.set()
            thread.join()


def rate_of(state: State, seconds: float = WINDOW) -> float:
    """Payload bytes per second in a window that begins now."""
    begin, before = time.monotonic(), state.meter.total
    NEVER_SET.wait(seconds)
    return (state.meter.total - before) / (time.monotonic() - begin)


def assert_kept(measure: Callable[[], float], rate: int) -> None:
    """Within 5 %. A busy machine may take time away, never give bytes more: so several windows count for the
    lower side."""
    rates: list[float] = []
    while len(rates) < 8 and max(rates, default=0) < rate * 0.95:
        rates.append(measure())
        assert rates[-1] <= rate * 1.05
    print("wanted", rate, "measured", [round(each) for each in rates])
    assert max(rates) >= rate * 0.95


def test_the_engine_receives_what_the_limit_grants_from_the_start_and_when_it_is_changed(
    tmp_path: Path,
) -> None:
    with downloading(tmp_path, MB) as (state, limiter):
        rate_of(state, 1.0)
        assert_kept(lambda: rate_of(state, 2.0), MB)
        report = protocol.ProgressReport(uid="u", attempt=1, stage=state.stage)
        window = progress_server.ProgressServer(0, "key", lambda: report, limiter.set_rate)
        with progress_server.serving(window):
            for rate in (10 * MB, 100 * MB, 100_000, 2 * MB):
                _put_limit(window.port, rate)
                rate_of(state, 0.5)
                assert_kept(lambda: rate_of(state, 2.0), rate)


def _put_limit(port: int, rate: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    body = json.dumps({"bytesPerSecond": rate})
    connection.request("PUT", "/limit", body, {naming.KEY_HEADER: "key"})
    assert connection.getresponse().status == 200
    connection.close()


def test_connections_share_the_limit_evenly(tmp_path: Path) -> None:
    with downloading(tmp_path, 8 * MB, files=8) as (state, _):
        rate_of(state, 1.0)
        before = {file.path: file.bytes_done for file in state.active()}
        rate_of(state, 4.0)
        got = {file.path: file.bytes_done - before[file.path] for file in state.active()}
    assert len(got) == 8
    mean = sum(got.values()) / 8
    print({path: round(count / mean, 3) for path, count in got.items()})
    assert all(0.85 * mean <= count <= 1.15 * mean for count in got.values()), got
