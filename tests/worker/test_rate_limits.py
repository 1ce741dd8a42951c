"""Origins that answer so many requests in a window: the worker waits as they ask, and gets all files.

The Hub gives 5,000 files in five minutes, so that a larger data set has to live with its refusals.
"""

import threading
from pathlib import Path

import pytest

from dev.origins.files.origin import Origin
from dev.origins.serving import quota
from modelsync.api.reasons import Reason, Stage
from modelsync.api.source.transfer import Engine
from modelsync.worker.attempt.watchdog import EXCUSED_SECONDS, Watchdog
from modelsync.worker.common import retry
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.retry import Budget, Transient
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from tests.origins.syncs import Sync
from tests.worker.test_stages import Clock

FILES = {f"{number:02}.bin": b"x" * (number + 1) for number in range(12)}
WINDOW = 1.0

LIMITED = {
    "the Hub": ("hub", quota.THE_HUB, Engine.NATIVE),
    "the Hub, by its own library": ("hub", quota.THE_HUB, Engine.HUGGING_FACE_HUB),
    "the Hub, by hf_transfer": ("hub", quota.THE_HUB, Engine.HF_TRANSFER),
    "S3 that names a time": ("s3", quota.RETRY_AFTER, Engine.NATIVE),
    "S3 that says SlowDown": ("s3", quota.S3, Engine.NATIVE),
    "a server that names a date": ("web", quota.DATE, Engine.NATIVE),
    "a server that denies until its clock's": ("web", quota.BY_THE_CLOCK, Engine.NATIVE),
}


@pytest.mark.parametrize(("kind", "words", "engine"), LIMITED.values(), ids=LIMITED.keys())
def test_all_files_come_though_their_origin_limits_requests(
    tmp_path: Path, kind: str, words: quota.Words, engine: Engine
) -> None:
    origin = Origin(FILES)
    origin.page_size = 4
    origin.quota = quota.Quota(requests=10, seconds=WINDOW, words=words)
    tries = 8 if words is quota.S3 else 3 if engine is not Engine.NATIVE else 0
    with origin:
        sync = Sync(
            origin=origin,
            volume=tmp_path,
            kind=kind,
            sizes=False,
            digests=kind != "web",
            connections=4,
            max_retries=tries,
            engine=engine,
        )
        end = sync.run()
    assert end.reason is Reason.SYNCED, end.message
    assert end.published == FILES
    assert origin.quota.windows > 1
    if words is quota.S3:
        return
    assert len(origin.quota.refused) <= 8 * (origin.quota.windows - 1), "all connections wait together"


@pytest.mark.parametrize(("kind", "requests"), [("hub", 0), ("s3", 0), ("web", 0), ("hub", 6)])
def test_a_long_wait_is_shown_and_ends_with_the_attempt(tmp_path: Path, kind: str, requests: int) -> None:
    origin = Origin(FILES)
    origin.quota = quota.Quota(requests=requests, seconds=250.0)
    state = State(Meter())
    sync = Sync(
        origin=origin, volume=tmp_path, kind=kind, sizes=False, max_retries=0, deadline=10, state=state
    )
    with origin:
        ended = threading.Event()

        def run() -> None:
            assert sync.run().reason is Reason.INTERRUPTED
            ended.set()

        threading.Thread(target=run, daemon=True).start()
        while (shown := state.stages.retrying(3600.0)) is None:
            assert not ended.wait(0.02)
        assert shown.asked and 240 < shown.next_seconds < 300 and shown.tries == 0
        assert state.stage is (Stage.DOWNLOADING if requests else Stage.RESOLVING)
        assert 240 < state.rate_limit_wait_seconds < 300, "the time, and not its sum over connections"
        sync.stop.set()
        assert ended.wait(5)


def test_an_origin_that_asks_forever_ends_the_listing_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LONGEST_WAIT", "LONGEST_OF_A_TRY"):
        monkeypatch.setattr(retry, name, 0.1)
    monkeypatch.setattr("random.random", lambda: 0.0)
    origin = Origin(FILES)
    origin.quota = quota.Quota(requests=0, seconds=1e6)
    with origin:
        end = Sync(origin=origin, volume=tmp_path).run()
    assert end.reason is Reason.RATE_LIMITED
    assert "127.0.0.1 limits the rate of requests (HTTP 429)" in end.message


def test_a_wait_that_the_origin_asked_for_is_no_silence_but_not_forever() -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    state.stages.enter(Stage.DOWNLOADING)
    watchdog = Watchdog(state, 10)
    trouble = Transient(Failure(Reason.RATE_LIMITED, "later"), wait_seconds=300.0)

    def ends(seconds: int) -> int | None:
        for second in range(seconds):
            clock.now += 1.0
            if watchdog.look() is not None:
                return second
        return None

    def asks(seconds: float) -> None:
        state.stages.retry(trouble, Budget(most=5), seconds)

    asks(300.0)
    assert ends(305) is None
    state.received(1)
    asks(300.0)
    assert ends(305) is None, "bytes came: it may ask again"
    state.received(1)
    asks(3000.0)
    assert ends(1000) == pytest.approx(10 + EXCUSED_SECONDS, abs=2)


def test_what_others_fail_by_meanwhile_does_not_hide_the_wait() -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    asked = Transient(Failure(Reason.RATE_LIMITED, "later"), wait_seconds=60.0)
    state.stages.retry(asked, Budget(most=5), 60.0)
    clock.now += 5
    state.stages.retry(Transient(Failure(Reason.NETWORK_ERROR, "cut")), Budget(most=5), 1.0)
    shown = state.stages.retrying(60.0)
    assert shown is not None and shown.asked and shown.next_seconds == 55.0


def test_what_was_on_its_way_when_the_origin_asked_does_not_hide_the_wait() -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    state.stages.enter(Stage.DOWNLOADING)
    asked = Transient(Failure(Reason.RATE_LIMITED, "later"), wait_seconds=60.0)
    state.stages.retry(asked, Budget(most=5), 60.0)
    clock.now += 1
    state.received(10)
    clock.now += 5
    shown = state.stages.retrying(state.idle_seconds())
    assert shown is not None and shown.next_seconds == 54.0
    clock.now += 60
    assert state.stages.retrying(state.idle_seconds()) is None


def test_seconds_asked_for_by_many_connections_count_once() -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    for _ in range(8):
        state.stages.asked_to_wait(30.0)
    clock.now += 10
    state.stages.asked_to_wait(30.0)
    assert state.rate_limit_wait_seconds == 40.0
