"""The planner as a whole: total, careful with results, and sparing with words."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelsync.api import modelsync_status as api
from modelsync.api.reasons import Phase, Stage
from modelsync.core import actions, planner
from modelsync.core.cluster import snapshot
from tests.builders import (
    MB,
    NOW,
    JobBuilder,
    PodBuilder,
    SyncBuilder,
    a_failure,
    a_job,
    a_pod,
    a_progress,
    a_queue,
    a_sample,
    a_snapshot,
    a_sync,
    ago,
    termination_report,
)

POD = "pod-llama-1"


class Broken:
    """A value that breaks any code that looks at it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"broken {name}")


END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((a_sync("bad").with_spec(bandwidth_limit="?"),), id="a quantity that is none"),
        pytest.param((a_sync("bad").created(END_OF_TIME),), id="made at the end of time"),
        pytest.param(
            (a_sync("bad"), a_job("bad").with_record(created=END_OF_TIME)), id="a Job of the end of time"
        ),
        pytest.param(
            (a_sync("bad"), a_job("bad").failed(when=END_OF_TIME)), id="a Job that ends at the end of time"
        ),
        pytest.param(
            (a_sync("bad"), a_job("bad").failed(), a_pod("bad").ended(50, when=END_OF_TIME)),
            id="a Pod that ends at the end of time",
        ),
        pytest.param(
            (a_sync("bad").with_status(attempts=10**12), a_job("bad")), id="more attempts than can be"
        ),
        pytest.param(
            (a_sync("bad").with_status(phase=Phase.QUEUED, next_retry_time=END_OF_TIME),),
            id="a retry at the end of time",
        ),
    ],
)
def test_an_object_that_makes_no_sense_is_alone_with_it(parts: tuple[SyncBuilder | JobBuilder, ...]) -> None:
    alone = planner.plan(a_snapshot(a_sync("good"), a_queue(max_active=5)))
    plan = planner.plan(a_snapshot(a_sync("good"), *parts, a_queue(max_active=5)))
    assert plan.statuses["uid-good"] == alone.statuses["uid-good"]
    assert "good" in [job.sync.name for job in plan.creations]


def test_a_status_that_breaks_its_reader_is_left_alone() -> None:
    broken: Any = Broken()
    sync = dataclasses.replace(a_sync("bad").build(), status=broken)
    picture = a_snapshot(a_sync("good"))
    plan = planner.plan(dataclasses.replace(picture, syncs={**picture.syncs, sync.uid: sync}))
    assert [job.sync.name for job in plan.creations] == ["good"]
    assert list(plan.statuses) == ["uid-good"]


def test_a_failure_in_the_future_is_one_of_now() -> None:
    ahead = a_pod().ended(50, when=NOW + timedelta(hours=1))
    status = planner.plan(a_snapshot(a_sync(), a_job().failed(), ahead)).statuses["uid-llama"]
    assert status.next_retry_time is not None
    assert status.next_retry_time < NOW + timedelta(seconds=30)


def test_a_pod_that_breaks_the_planner_is_reported_on_its_sync() -> None:
    picture = a_snapshot(a_sync("good"), a_sync("bad"), a_job("bad"), a_pod("bad").running())
    sample: Any = snapshot.Sample(report=Broken(), received=NOW)  # type: ignore[arg-type]
    plan = planner.plan(dataclasses.replace(picture, samples={"pod-bad-1": sample}))
    assert plan.statuses["uid-bad"].phase is Phase.FAILED
    assert "uid-good" in plan.statuses


@pytest.mark.parametrize(
    ("parts", "reasons"),
    [
        pytest.param(
            (a_sync().with_status(phase=Phase.COMPLETE, attempts=1), a_job().complete(when=ago(599))),
            [],
            id="kept",
        ),
        pytest.param(
            (a_sync().with_status(phase=Phase.COMPLETE, attempts=1), a_job().complete(when=ago(600))),
            ["in the status"],
            id="kept long enough",
        ),
        pytest.param((a_sync(), a_job().complete(when=ago(9999))), [], id="its result is not stored"),
        pytest.param((a_sync(), a_job().failed(when=ago(9999))), [], id="its failure is not stored"),
        pytest.param(
            (
                a_sync().with_status(attempts=1, failures=1, last_failure=a_failure()),
                a_job().failed(when=ago(9999)),
            ),
            ["in the status"],
            id="its failure is stored",
        ),
        pytest.param(
            (a_sync().with_status(attempts=2), a_job().failed(when=ago(9999)), a_job(attempt=2)),
            ["in the status"],
            id="an older attempt",
        ),
        pytest.param(
            (a_sync().with_status(attempts=2), a_job(), a_job(attempt=2)),
            ["a later attempt exists"],
            id="two that run",
        ),
        pytest.param(
            (a_sync().with_status(attempts=1, last_failure=a_failure(), failures=1), a_job()),
            ["its result is in the status"],
            id="given up",
        ),
        pytest.param(
            (a_sync().suspended(), a_job()), [], id="its number must be stored before it is stopped"
        ),
        pytest.param(
            (a_sync().with_record(deleting=True), a_job()), ["being deleted"], id="its sync is deleted"
        ),
        pytest.param((a_sync().suspended(), a_job().deleting()), [], id="on its way out already"),
        pytest.param((a_job("stranger"),), [], id="of a sync that is gone"),
        pytest.param((a_sync().with_record(invalid="?"), a_job()), [], id="of a sync that cannot be read"),
    ],
)
def test_jobs_are_deleted_for_a_reason(
    parts: tuple[SyncBuilder | JobBuilder, ...], reasons: list[str]
) -> None:
    deletions = planner.plan(a_snapshot(*parts)).deletions
    assert len(deletions) == len(reasons)
    assert all(reason in wish.why for wish, reason in zip(deletions, reasons, strict=True))


def test_a_finished_job_wakes_the_planner_when_its_time_is_over() -> None:
    sync = a_sync().with_status(phase=Phase.COMPLETE)
    plan = planner.plan(a_snapshot(sync, a_job().complete(when=ago(10))))
    assert plan.wake_at == NOW + timedelta(seconds=590)


def test_a_starting_worker_wakes_the_planner_at_its_deadline() -> None:
    blocked = a_pod().unschedulable("0/1 nodes are available: 1 Insufficient cpu.")
    assert planner.plan(a_snapshot(a_sync(), a_job(), blocked)).wake_at == NOW + timedelta(seconds=50)
    assert planner.plan(a_snapshot(a_sync(), a_job(), a_pod())).wake_at == NOW + timedelta(seconds=590)


def test_a_deleted_sync_starts_nothing_and_keeps_its_status() -> None:
    sync = a_sync().with_record(deleting=True).with_status(phase=Phase.QUEUED)
    plan = planner.plan(a_snapshot(sync))
    assert plan.creations == ()
    assert plan.statuses["uid-llama"] is sync.status


@pytest.mark.parametrize(
    ("spec", "in_force", "wish"),
    [
        pytest.param("500M", None, 500 * MB, id="set"),
        pytest.param("500M", 500 * MB, "none", id="in force"),
        pytest.param(None, 500 * MB, None, id="lifted"),
        pytest.param("a lot", None, "none", id="not a quantity"),
        pytest.param("1m", None, 1, id="less than a byte is a byte"),
        pytest.param("9Ei", None, 2**53, id="more than can be stated"),
        pytest.param("1e999999999", None, 2**53, id="more than can be computed"),
    ],
)
def test_a_limit_is_set_where_the_worker_has_another(
    spec: str | None, in_force: int | None, wish: object
) -> None:
    sample = a_sample(bandwidth_limit=in_force)
    picture = a_snapshot(
        a_sync().with_spec(bandwidth_limit=spec), a_job(), a_pod().running(), samples={POD: sample}
    )
    limits = [found.bytes_per_second for found in planner.plan(picture).limits]
    assert limits == ([] if wish == "none" else [wish])


def events(*parts: Any, **more: Any) -> list[tuple[str, str]]:
    return [(event.type, event.reason) for event in planner.plan(a_snapshot(*parts, **more)).events]


STARTING = planner.plan(a_snapshot(a_sync(), a_job())).statuses["uid-llama"]
DOWNLOADING = planner.plan(
    a_snapshot(a_sync(), a_job(), a_pod().running(), samples={POD: a_sample()})
).statuses["uid-llama"]
CHECKING = planner.plan(
    a_snapshot(a_sync(), a_job(), a_pod().running(), samples={POD: a_sample(stage=Stage.CHECKING)})
).statuses["uid-llama"]
STALLED = planner.plan(
    a_snapshot(a_sync(), a_job(), a_pod().running(), samples={POD: a_sample(idle_seconds=40)})
).statuses["uid-llama"]
ENDED = planner.plan(
    a_snapshot(a_sync().with_status(DOWNLOADING), a_job().failed(), a_pod().ended(12))
).statuses["uid-llama"]


@pytest.mark.parametrize(
    ("before", "sync", "parts", "samples", "want"),
    [
        pytest.param(None, a_sync(), (), {}, [], id="queued"),
        pytest.param(None, a_sync(), (a_job(),), {}, [], id="starting"),
        pytest.param(
            STARTING,
            a_sync(),
            (a_job(), a_pod().running()),
            {},
            [],
            id="the worker runs and has not reported",
        ),
        pytest.param(
            STARTING,
            a_sync(),
            (a_job(), a_pod().running()),
            {POD: a_sample(stage=Stage.CHECKING, idle_seconds=99)},
            [],
            id="a long check is no event",
        ),
        pytest.param(
            CHECKING,
            a_sync(),
            (a_job(), a_pod().running()),
            {POD: a_sample()},
            [("Normal", "Downloading")],
            id="the download begins",
        ),
        pytest.param(
            DOWNLOADING,
            a_sync(),
            (a_job(), a_pod().running()),
            {POD: a_sample(a_progress(50 * MB))},
            [],
            id="progress is no event",
        ),
        pytest.param(
            DOWNLOADING,
            a_sync(),
            (a_job(), a_pod().running()),
            {POD: a_sample(idle_seconds=31)},
            [("Warning", "DownloadStalled")],
            id="a stall begins",
        ),
        pytest.param(
            STALLED,
            a_sync(),
            (a_job(), a_pod().running()),
            {POD: a_sample()},
            [("Normal", "Downloading")],
            id="a stall ends",
        ),
        pytest.param(
            DOWNLOADING,
            a_sync(),
            (a_job().complete(), a_pod().ended(0, termination_report())),
            {},
            [("Normal", "Synced")],
            id="complete",
        ),
        pytest.param(
            DOWNLOADING,
            a_sync(),
            (a_job().failed(), a_pod().ended(50)),
            {},
            [("Warning", "NetworkError")],
            id="failed for now",
        ),
        pytest.param(
            DOWNLOADING,
            a_sync(),
            (a_job().failed(), a_pod().ended(12)),
            {},
            [("Warning", "AccessDenied")],
            id="failed for good",
        ),
        pytest.param(
            ENDED,
            a_sync().with_record(retry_requested="again"),
            (a_queue(max_active=0),),
            {},
            [("Normal", "Queued")],
            id="a retry was asked for",
        ),
        pytest.param(DOWNLOADING, a_sync().suspended(), (a_job(),), {}, [("Normal", "Paused")], id="paused"),
        pytest.param(
            DOWNLOADING, a_sync().cancelled(), (a_job(),), {}, [("Normal", "Cancelled")], id="cancelled"
        ),
        pytest.param(
            STARTING,
            a_sync(),
            (a_job(), a_pod().waiting("ErrImagePull", "no")),
            {},
            [("Warning", "ImagePullFailed")],
            id="blocked",
        ),
        pytest.param(
            None,
            a_sync().with_record(invalid="what?"),
            (),
            {},
            [("Warning", "InvalidSpec")],
            id="not understood",
        ),
    ],
)
def test_events_report_transitions_once(
    before: api.ModelSyncStatus | None,
    sync: SyncBuilder,
    parts: tuple[JobBuilder | PodBuilder | snapshot.QueueRecord, ...],
    samples: dict[str, snapshot.Sample],
    want: list[tuple[str, str]],
) -> None:
    one = sync.with_status(before) if before is not None else sync
    assert events(one, *parts, samples=samples) == want
    wanted = planner.plan(a_snapshot(one, *parts, samples=samples)).statuses["uid-llama"]
    assert events(sync.with_status(wanted), *parts, samples=samples) == []


def test_an_event_that_is_repeated_has_the_same_key() -> None:
    # Else an operator that dies before the status is written would leave two Events.
    def announced(now: object) -> actions.Announce:
        picture = a_snapshot(
            a_sync().with_status(DOWNLOADING),
            a_job().failed(),
            a_pod().ended(50),
            now=now,  # type: ignore[arg-type]
        )
        return planner.plan(picture).events[0]

    assert announced(NOW).key == announced(NOW + timedelta(seconds=3)).key


def test_an_event_says_what_happened_in_words() -> None:
    picture = a_snapshot(
        a_sync().with_status(DOWNLOADING),
        a_job().complete(),
        a_pod().ended(0, termination_report(progress=a_progress(100 * MB, files_total=3))),
    )
    assert planner.plan(picture).events[0].message == "3 files, 100MB, published and verified"


def test_completing_with_files_that_only_their_size_speaks_for_says_so() -> None:
    words = termination_report(
        progress=a_progress(100 * MB, files_total=3), verified_by={"sha256": 2, "size": 1}
    )
    picture = a_snapshot(a_sync(), a_job().complete(), a_pod().ended(0, words))
    text = planner.plan(picture).events[0].message
    assert text.startswith("3 files, 100MB, all files are published; 1 of 3 files are verified by size alone")
