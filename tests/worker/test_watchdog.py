"""One watchdog over the whole attempt: in every stage, work that advances goes on and other work is ended."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.origins.content import hexdigest, noise
from dev.origins.faults import ALWAYS, ANY, Fault, Slow, SlowHead
from dev.origins.files.origin import Origin
from dev.origins.files.web import WebOrigin
from modelsync.api import exitcodes, protocol
from modelsync.api.reasons import Reason, Stage
from modelsync.api.source.transfer import Resolved
from modelsync.cli.pull import Pull
from modelsync.cli.screens import LineScreen
from modelsync.worker.attempt import watchdog
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.model import Listing
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.context import Context, Overdue
from modelsync.worker.http.connector import Network
from modelsync.worker.progress import proc_counters
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from tests import counts
from tests.worker import forked
from tests.worker.syncs import Sync
from tests.worker.test_worker_command import HERE, start, words


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def advance(state: State) -> None:
    """Whatever is progress of the present stage."""
    if state.stage is Stage.DOWNLOADING:
        state.received(1)
    else:
        state.stages.advance(size=1)


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("deadline", counts.chosen(short=[10, 3600], full=[10, 600, 3600, 86_400]))
def test_every_stage_has_its_deadline_and_words_of_its_own(stage: Stage, deadline: int) -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    state.stages.enter(stage)
    dog = watchdog.Watchdog(state, deadline)
    for second in range(1, deadline):
        clock.now = float(second)
        assert dog.look() is None
    clock.now = float(deadline)
    failure = dog.look()
    assert failure is not None
    assert failure.reason is Reason.PROGRESS_DEADLINE_EXCEEDED
    assert "spec.progressDeadlineSeconds" in failure.message
    assert ("volume" in failure.message) == (stage not in (Stage.RESOLVING, Stage.DOWNLOADING))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("time"), st.floats(0.01, 4.9)),
        st.tuples(st.just("enter"), st.sampled_from(list(Stage))),
        st.tuples(st.sampled_from(["advance", "byte", "hashed"]), st.just(0)),
    ),
    max_size=80,
)


@given(steps=STEPS)
def test_it_ends_an_attempt_exactly_when_the_stage_was_silent_for_the_deadline(
    steps: list[tuple[str, object]],
) -> None:
    """Against a model that knows nothing of meters and stages but when progress was last made."""
    deadline, clock = 10.0, Clock()
    state = State(Meter(clock=clock))
    dog, stage, last = watchdog.Watchdog(state, deadline), Stage.RESOLVING, 0.0
    for kind, value in steps:
        if kind == "time":
            clock.now += float(value)  # type: ignore[arg-type]
        elif kind == "enter":
            assert isinstance(value, Stage)
            state.stages.enter(value)
            stage, last = value, last if value is stage else clock.now
        elif kind == "advance":
            state.stages.advance(files=1)
            last = last if stage is Stage.DOWNLOADING else clock.now
        elif kind == "byte":
            state.received(1)
            last = clock.now if stage is Stage.DOWNLOADING else last
        else:
            state.hashed(1)
            last = clock.now if stage is Stage.VERIFYING else last
        assert (dog.look() is not None) == (clock.now - last >= deadline)


def test_a_listing_that_drips_forever_is_bounded_as_a_whole_and_a_download_is_not() -> None:
    clock = Clock()
    for stage, deadline, longest in (
        (Stage.RESOLVING, 60, 3600.0),
        (Stage.RESOLVING, 3600, 36_000.0),
        (Stage.CHECKING, 60, None),
        (Stage.DOWNLOADING, 60, None),
    ):
        clock.now = 0.0
        state = State(Meter(clock=clock))
        state.stages.enter(stage)
        dog, ended = watchdog.Watchdog(state, deadline), None
        while ended is None and clock.now < 50_000:
            clock.now += 4
            advance(state)
            ended = clock.now if dog.look() is not None else None
        assert ended == longest, stage


def test_time_in_which_the_process_was_frozen_is_nobody_s_silence() -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    state.stages.enter(Stage.DOWNLOADING)
    dog = watchdog.Watchdog(state, 60)
    clock.now = 4000.0  # SIGSTOP, a frozen cgroup, a laptop's lid
    assert dog.look() is None
    while clock.now < 4059:
        clock.now += 1
        assert dog.look() is None
    clock.now = 4060.0
    assert dog.look() is not None


def test_an_attempt_that_is_to_stop_anyway_is_not_judged() -> None:
    clock = Clock()
    state, stop, overdue = State(Meter(clock=clock)), threading.Event(), Overdue()
    stop.set()
    given_up: list[Failure] = []
    with watchdog.watching(watchdog.Watchdog(state, 1), overdue, stop, given_up.append, grace_seconds=0.0):
        clock.now = 4.0
        for thread in threading.enumerate():
            if thread.name == "watchdog":
                thread.join(10)
    assert (overdue.failure, given_up) == (None, [])


Where = Callable[[Origin], dict[str, object]]
SOURCES: dict[str, tuple[Fault, Where]] = {
    "the Hub's information": (
        Slow(1),
        lambda origin: {"huggingFace": {"repository": "org/model", "endpoint": origin.url}},
    ),
    "a bucket's page": (Slow(1), lambda origin: {"s3": {"bucket": "bucket", "endpoint": origin.url}}),
    "the headers of a file": (
        SlowHead(1),
        lambda origin: {"http": {"files": [{"url": f"{origin.web}/x", "path": "x"}]}},
    ),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_listing_that_trickles_ends_with_its_words_and_its_code(tmp_path: Path, case: str) -> None:
    slow, source_at = SOURCES[case]
    with Origin({"x": b"x"}) as origin:
        origin.strike("*", slow, role=ANY, times=ALWAYS)
        names = {"version": 1, "uid": "u-1", "namespace": "team", "name": "llama", "attempt": 1}
        request = {**names, **HERE, "source": source_at(origin), "progressDeadlineSeconds": 1}
        with start(tmp_path, request) as worker:
            worker.communicate(timeout=600)  # a loaded machine took a minute to start boto3
    assert worker.returncode == exitcodes.BY_REASON[Reason.PROGRESS_DEADLINE_EXCEEDED]
    assert words(tmp_path).reason is Reason.PROGRESS_DEADLINE_EXCEEDED
    assert "listed no further file" in words(tmp_path).message


def subject(directory: Path, origin: WebOrigin, request: protocol.WorkRequest, hangs: str) -> forked.Program:
    """A worker's process in which a call hangs from a stage on; its termination report is in `directory`."""
    (directory / "request.json").write_text(request.dump_json())
    files = [
        (path, found.content.size, hexdigest(found.content, "sha256")) for path, found in origin.files.items()
    ]
    (directory / "listing.json").write_text(json.dumps({"url": origin.url, "files": files}))
    names = ("request.json", "listing.json", "volume", "termination")
    arguments = ["subject", *(str(directory / name) for name in names), "0", "key"]
    return forked.Program(forked.SUBJECT, arguments, {**os.environ, "HANGS": hangs})


@dataclass(frozen=True)
class Hang:
    """A call that never returns, as on a dead file server, from a stage on."""

    call: str
    stage: Stage
    says: str


HANGS = (
    Hang("fsync", Stage.PUBLISHING, "No file could be published"),
    Hang("rename", Stage.PUBLISHING, "No file could be published"),
    Hang("pread", Stage.CHECKING, "No byte of the files on the volume"),
    Hang("fstatvfs", Stage.CHECKING, "No byte of the files on the volume"),
)


@pytest.mark.parametrize("hang", HANGS, ids=lambda hang: f"{hang.call} while {hang.stage}")
def test_a_volume_that_hangs_ends_the_process_with_its_words_and_its_code(tmp_path: Path, hang: Hang) -> None:
    files = {"model.bin": noise(300_000), "other": b"{}"}
    with WebOrigin(files) as origin:
        (tmp_path / "volume").mkdir()
        sync = Sync(origin, tmp_path / "volume", deadline=5)  # a loaded machine's pauses are shorter
        if hang.stage is Stage.CHECKING:
            sync.run()  # so that there is something to check
            (tmp_path / "volume/model/other").unlink()
        with subject(tmp_path, origin, sync.request(), f"{hang.call}:{hang.stage}") as process:
            code = process.wait(60)
    assert code == exitcodes.BY_REASON[Reason.PROGRESS_DEADLINE_EXCEEDED]
    assert words(tmp_path).reason is Reason.PROGRESS_DEADLINE_EXCEEDED
    assert hang.says in words(tmp_path).message
    assert words(tmp_path).resolved is not None


@dataclass
class Silent:
    """A source whose listing never comes."""

    left: threading.Event

    def resolve(self, pinned: Resolved | None) -> Listing:
        self.left.wait()
        raise Interrupted

    def request(self, file: object) -> object:
        raise AssertionError


def test_a_pull_ends_alike(tmp_path: Path) -> None:
    left = threading.Event()
    with WebOrigin({}) as origin:
        request = Sync(origin, tmp_path, deadline=1).request()
    context = Context(
        request=request,
        source=Silent(left),  # type: ignore[arg-type]
        network=Network(),
        state=State(Meter()),
        limiter=Limiter(),
        stop=threading.Event(),
        volume=tmp_path / "pulled",
    )
    try:
        with open(os.devnull, "w") as out:
            outcome = Pull(context).follow(LineScreen(out))
    finally:
        left.set()
    assert outcome.exit_code == exitcodes.BY_REASON[Reason.PROGRESS_DEADLINE_EXCEEDED]
    assert "spec." not in outcome.message


def test_a_volume_that_does_not_answer_keeps_no_report_from_being_made(tmp_path: Path) -> None:
    answer, asked = threading.Event(), []

    def ask(path: Path) -> protocol.VolumeSpace:
        asked.append(path)
        answer.wait()
        return protocol.VolumeSpace(capacity_bytes=2, available_bytes=1)

    probe = proc_counters.SpaceProbe(tmp_path, ask)
    assert [probe.latest(0.01) for _ in range(20)] == [None] * 20
    assert len(asked) == 1, "one thread hangs, however often it is asked"
    answer.set()
    assert probe.latest(30.0) == protocol.VolumeSpace(capacity_bytes=2, available_bytes=1)
