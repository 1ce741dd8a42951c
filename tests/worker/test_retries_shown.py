"""What the worker tries again stands in its report, in every stage that asks an origin."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.faults import ALWAYS, ANY, Status
from dev.origins.files.web import WebOrigin
from dev.origins.hub import HubServer, Repository
from modelsync.api import protocol
from modelsync.api.reasons import Reason, Stage
from modelsync.api.source import sources as api
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.retry import Budget, Transient
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.stages import Stages
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from modelsync.worker.sources import factory
from modelsync.worker.sources.credentials import Given
from tests.worker.syncs import Sync
from tests.worker.test_stages import Clock

TROUBLE = Transient(Failure(Reason.ORIGIN_ERROR, "The origin answers with HTTP 503."))


def seen(
    stages: Stages, idle: Callable[[], float], work: Callable[[], object], stop: threading.Event
) -> protocol.Retrying:
    """The first retry that a report would show while the work is under way; then the work is stopped."""

    def run() -> None:
        with contextlib.suppress(Failure, Interrupted):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while (found := stages.retrying(idle())) is None:
            assert thread.is_alive(), "it ended without a retry"
            time.sleep(0.005)
        return found
    finally:
        stop.set()
        thread.join(30)


def test_a_file_that_is_refused(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": noise(100_000)}) as origin:
        origin.strike("*", Status(503), role=ANY, times=ALWAYS)
        sync = Sync(origin, tmp_path, max_retries=5)
        found = seen(sync.state.stages, sync.state.idle_seconds, sync.run, sync.stop)
    assert sync.state.stage is Stage.DOWNLOADING
    assert "503" in found.cause and "signature" not in found.cause
    assert (found.most, 1 <= found.tries <= 5) == (6, True)


def test_a_listing_that_is_refused() -> None:
    with HubServer(Repository("org/model", {"config.json": b"{}"})) as hub:
        hub.strike("*", Status(503), role=ANY, times=ALWAYS)
        stages, stop = Stages(), threading.Event()
        spec = api.Source(hugging_face=api.HuggingFaceSource(repository="org/model", endpoint=hub.url))
        source = factory.open_source(spec, Given(where="x"), Network(), stop=stop, stages=stages)
        found = seen(stages, stages.idle_seconds, lambda: source.resolve(None), stop)
    assert "503" in found.cause
    assert (found.tries, found.most) == (1, 3)


def test_a_probe_that_is_refused() -> None:
    with WebOrigin({"x": b"x"}) as origin:
        origin.strike("*", Status(503), role=ANY, times=ALWAYS)
        stages, stop = Stages(), threading.Event()
        spec = api.Source(
            http=api.HttpSource(files=(api.HttpFile(url=f"{origin.url}/x?k=canary", path="x"),))
        )
        source = factory.open_source(spec, Given(where="x"), Network(), stop=stop, stages=stages)
        found = seen(stages, stages.idle_seconds, lambda: source.resolve(None), stop)
    assert "503" in found.cause and "canary" not in found.cause


@pytest.mark.parametrize("stage", [Stage.RESOLVING, Stage.DOWNLOADING])
def test_it_is_shown_until_the_stage_goes_on(stage: Stage) -> None:
    clock = Clock()
    state, budget = State(Meter(clock=clock)), Budget(most=5)
    state.stages.enter(stage)

    def shown() -> protocol.Retrying | None:
        return state.stages.retrying(state.idle_seconds())

    assert shown() is None
    clock.now = 10.0
    budget.used = 2
    state.stages.retry(TROUBLE, budget, 8.0)
    clock.now = 13.0
    assert shown() == protocol.Retrying(cause=str(TROUBLE), tries=2, most=6, next_seconds=5.0)
    clock.now = 30.0
    assert shown() == protocol.Retrying(cause=str(TROUBLE), tries=2, most=6, next_seconds=0.0)
    state.received(1) if stage is Stage.DOWNLOADING else state.stages.advance(files=1)
    assert shown() is None
    state.stages.retry(TROUBLE, budget, 8.0)
    clock.now = 31.0
    assert shown() is not None
    state.stages.enter(Stage.PUBLISHING)
    assert shown() is None, "another stage asks nobody"
