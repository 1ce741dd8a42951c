"""The lowest speed of a queue: it ends what drips, and nobody for our limit or an origin's Retry-After."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.origins.content import Synthetic
from dev.origins.faults import ALWAYS, Slow
from dev.origins.files.web import WebOrigin
from modelsync.api import exitcodes
from modelsync.api.reasons import Reason, Stage
from modelsync.worker.attempt.minimum_rate import LONGEST_WINDOWS, WINDOW_SECONDS, Slowness
from modelsync.worker.attempt.watchdog import Watchdog
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from tests.worker.test_worker_command import HERE, start, words

RATE = 1000


@dataclass
class Download:
    """A download on a clock that a test turns, and the watchdog that looks at it."""

    deadline: int = 60
    rate: int = RATE
    limit: int | None = None
    now: float = 0.0

    def __post_init__(self) -> None:
        self.state = State(Meter(clock=lambda: self.now))
        self.state.stages.enter(Stage.DOWNLOADING)
        slowness = Slowness(self.rate, self.deadline, lambda: self.limit)
        self.dog = Watchdog(self.state, self.deadline, slowness)

    def ends(
        self, bytes_in: Callable[[int], int], seconds: int, each: Callable[[int], None] = lambda _: None
    ) -> float | None:
        """When it is ended as too slow; `bytes_in` gives what comes in each second."""
        for second in range(1, seconds + 1):
            self.now += 1.0
            each(second)
            if count := bytes_in(second):
                self.state.received(count)
            failure = self.dog.look()
            if failure is not None:
                assert failure.reason is Reason.DOWNLOAD_TOO_SLOW
                assert "minimumRate" in failure.message
                return self.now
        return None


@pytest.mark.parametrize(
    ("bytes_in", "ends"),
    [
        pytest.param(lambda s: s % 2, 60.0, id="a byte each 2 s"),
        pytest.param(lambda s: RATE - 1, 60.0, id="a little less"),
        pytest.param(lambda s: RATE, None, id="just enough"),
        pytest.param(lambda s: RATE * 30 if s % 30 == 0 else 0, None, id="in lumps"),
        pytest.param(lambda s: RATE * 100 if s < 60 else 1, 120.0, id="fast at first"),
        pytest.param(lambda s: 0 if s < 29 else 2 * RATE, None, id="slow at first"),
    ],
)
def test_the_average_over_the_deadline_decides(bytes_in: Callable[[int], int], ends: float | None) -> None:
    assert Download().ends(bytes_in, 400) == ends


@pytest.mark.parametrize(("deadline", "window"), [(10, 10), (600, 600), (86_400, WINDOW_SECONDS)])
def test_no_deadline_stretches_the_window_beyond_ten_minutes(deadline: int, window: float) -> None:
    assert Download(deadline=deadline).ends(lambda s: s % 2, 2000) == window


@pytest.mark.parametrize(
    ("limit", "speed", "ends"),
    [
        pytest.param(1000, 990, False, id="a limit just above the speed"),
        pytest.param(100, 99, False, id="a limit far below the least"),
        pytest.param(1, 1, False, id="the lowest limit"),
        pytest.param(100, 49, True, id="slow for its limit, too"),
        pytest.param(1_000_000, 999, True, id="a limit that does not bind"),
    ],
)
def test_nobody_is_ended_for_our_own_limit(limit: int, speed: int, ends: bool) -> None:
    assert (Download(limit=limit).ends(lambda s: speed, 300) is not None) == ends


def test_a_limit_counts_for_the_window_in_which_it_was_in_force() -> None:
    download = Download()

    def change(second: int) -> None:
        download.limit = 100 if second == 30 else None

    assert download.ends(lambda s: 60, 60, change) is None
    assert download.ends(lambda s: 60, 60) == 120.0


def test_time_that_the_origin_asked_to_wait_does_not_count_but_not_forever() -> None:
    download = Download()

    def refused(second: int) -> None:
        if second % 60 == 1:
            download.state.stages.asked_to_wait(50.0)

    assert download.ends(lambda s: 250, 600, refused) is None, "10 of 60 seconds count, at 1,500 a second"
    patient = Download()

    def asks_again(second: int) -> None:
        patient.state.stages.asked_to_wait(60.0)

    assert patient.ends(lambda s: s % 2, 3000, asks_again) == LONGEST_WINDOWS * 60.0


def test_waits_of_our_own_between_tries_count() -> None:
    download = Download()
    assert download.ends(lambda s: s % 2, 100, lambda s: download.state.stages.asked_to_wait(0.0)) == 60.0


def test_what_the_devices_count_is_as_good_as_what_an_engine_reports() -> None:
    download = Download()
    assert download.ends(lambda s: s % 2, 300, lambda s: download.state.on_wire(2 * RATE * s)) is None


def test_only_downloading_is_judged_and_a_frozen_process_is_not() -> None:
    download = Download()
    assert download.ends(lambda s: s % 2, 50) is None
    download.now += 3600.0
    assert download.dog.look() is None, "SIGSTOP, a frozen cgroup"
    download.state.stages.enter(Stage.VERIFYING)
    assert download.ends(lambda s: 0, 30) is None
    download.state.stages.enter(Stage.DOWNLOADING)
    assert download.ends(lambda s: s % 2, 30) is not None


@contextlib.contextmanager
def dripping_file() -> Iterator[str]:
    """A server that sends a file of a megabyte, `x`, at 2,000 bytes a second."""
    with WebOrigin({"x": Synthetic(1_000_000)}) as origin:
        origin.strike("x", Slow(2000), times=ALWAYS)
        yield origin.url


def dripped(directory: Path, **more: object) -> tuple[int, Reason]:
    """Exit code and reason of a real worker that such a server keeps busy."""
    names = {"version": 1, "uid": "u-1", "namespace": "team", "name": "llama", "attempt": 1}
    with dripping_file() as url:
        source = {"http": {"files": [{"url": f"{url}/x", "path": "x"}]}}
        request = {**names, **HERE, "source": source, "progressDeadlineSeconds": 3, **more}
        with start(directory, request) as worker:
            worker.communicate(timeout=60)
    return worker.wait(), words(directory).reason


def test_a_worker_that_is_too_slow_ends_with_its_report_and_its_code(tmp_path: Path) -> None:
    code = exitcodes.BY_REASON[Reason.DOWNLOAD_TOO_SLOW]
    assert dripped(tmp_path, minimumRate=100_000) == (code, Reason.DOWNLOAD_TOO_SLOW)
    assert exitcodes.is_retryable(code)
