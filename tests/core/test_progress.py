"""Progress: clamped, never falling, with a forecast that does not fidget."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api import modelsync_status as api
from modelsync.api import protocol
from modelsync.api.reasons import Phase, Reason, Stage
from modelsync.api.source import selection
from modelsync.core import planner
from modelsync.core.status import progress
from tests.builders import (
    MB,
    NOW,
    a_job,
    a_pod,
    a_progress,
    a_sample,
    a_snapshot,
    a_spec,
    a_sync,
    termination_report,
)

POD = "pod-llama-1"


def shown(sample: protocol.Progress, before: api.ProgressStatus | None = None) -> api.ProgressStatus:
    return progress.running(before, a_sample(sample), 0)


@pytest.mark.parametrize(
    ("done", "total", "want"),
    [
        pytest.param(0, 100, 0, id="nothing"),
        pytest.param(999, 1000, 99, id="rounded down"),
        pytest.param(1000, 1000, 100, id="all"),
        pytest.param(2000, 1000, 100, id="more than all is all"),
        pytest.param(0, 0, 100, id="all of nothing"),
        pytest.param(10, None, None, id="of an unknown whole"),
    ],
)
def test_per_cent_is_whole_and_rounded_down(done: int, total: int | None, want: int | None) -> None:
    assert shown(a_progress(done, total)).percent == want


def test_a_new_worker_that_does_not_know_yet_takes_nothing_back() -> None:
    before = shown(a_progress(50 * MB, 100 * MB, files_total=4, files_done=2))
    after = shown(a_progress(0, None), before)
    assert (after.bytes_total, after.bytes_done, after.files_total, after.files_done) == (
        100 * MB,
        50 * MB,
        4,
        2,
    )


def test_another_whole_is_reported_as_it_is() -> None:
    before = shown(a_progress(90, 100))
    assert shown(a_progress(10, 200), before).bytes_done == 10


@given(st.lists(st.tuples(st.integers(0, 120), st.sampled_from([None, 100])), min_size=1))
def test_the_done_part_never_falls_and_stays_within_the_whole(reports: list[tuple[int, int | None]]) -> None:
    status: api.ProgressStatus | None = None
    for done, total in reports:
        new = shown(a_progress(done, total), status)
        assert new.bytes_done is not None
        if status is not None and status.bytes_total == new.bytes_total:
            assert new.bytes_done >= (status.bytes_done or 0)
        assert new.bytes_total is None or 0 <= new.bytes_done <= new.bytes_total
        assert new.percent is None or 0 <= new.percent <= 100
        status = new


def test_there_is_no_forecast_before_a_speed() -> None:
    assert shown(a_progress(10, 100)).estimated_completion_time is None
    assert shown(a_progress(10, 100, bytes_per_second=0)).estimated_completion_time is None
    assert shown(a_progress(10, None, bytes_per_second=9)).estimated_completion_time is None


@pytest.mark.parametrize(
    ("speed", "moves"),
    [
        pytest.param(1.00, False, id="the same"),
        pytest.param(1.04, False, id="4 % faster"),
        pytest.param(0.97, False, id="3 % slower"),
        pytest.param(1.10, True, id="10 % faster"),
        pytest.param(0.50, True, id="half as fast"),
    ],
)
def test_a_forecast_moves_only_when_it_matters(speed: float, moves: bool) -> None:
    before = shown(a_progress(0, 1000 * MB, bytes_per_second=MB))
    assert before.estimated_completion_time == NOW + timedelta(seconds=1000)
    after = shown(a_progress(0, 1000 * MB, bytes_per_second=int(MB * speed)), before)
    assert (after.estimated_completion_time != before.estimated_completion_time) == moves


def test_bytes_received_add_up_over_attempts_and_pods() -> None:
    first = planner.plan(
        a_snapshot(
            a_sync(), a_job(), a_pod().running(), samples={POD: a_sample(a_progress(30, bytes_network=30))}
        )
    ).statuses["uid-llama"]
    failed = planner.plan(
        a_snapshot(
            a_sync().with_status(first),
            a_job().failed(),
            a_pod().ended(50, termination_report(progress=a_progress(40, bytes_network=40))),
        )
    ).statuses["uid-llama"]
    assert failed.progress is not None
    assert failed.progress.bytes_network == 40
    again = planner.plan(
        a_snapshot(
            a_sync().with_status(failed),
            a_job().failed(),
            a_pod().ended(50, termination_report(progress=a_progress(40, bytes_network=40))),
        )
    ).statuses["uid-llama"]
    assert again.progress == failed.progress, "a termination report counts once"
    second = planner.plan(
        a_snapshot(
            a_sync().with_status(failed.replace(next_retry_time=None)),
            a_job(attempt=2),
            a_pod(attempt=2).running(),
            samples={"pod-llama-2": a_sample(a_progress(45, bytes_network=5), attempt=2)},
        )
    ).statuses["uid-llama"]
    assert second.progress is not None
    assert (second.progress.bytes_network, second.progress.bytes_done) == (45, 45)
    done = planner.plan(
        a_snapshot(
            a_sync().with_status(second),
            a_job(attempt=2).complete(),
            a_pod(attempt=2).ended(
                0, termination_report(attempt=2, progress=a_progress(100, bytes_network=60))
            ),
        )
    ).statuses["uid-llama"]
    assert done.progress is not None
    assert done.progress.bytes_network == 100


def test_the_next_attempts_first_report_adds_what_a_killed_one_never_reported() -> None:
    stored = planner.plan(
        a_snapshot(a_sync(), a_job(), a_pod().running(), samples={POD: a_sample(a_progress(30 * MB))})
    ).statuses["uid-llama"]
    killed = planner.plan(
        a_snapshot(a_sync().with_status(stored), a_job().failed(), a_pod().ended(137))
    ).statuses["uid-llama"]
    assert killed.progress is not None
    assert killed.progress.bytes_network == 30 * MB
    report = a_progress(45 * MB, bytes_network=5 * MB, bytes_network_before=42 * MB, bytes_reused=0)
    parts = (
        a_sync().with_status(killed.replace(next_retry_time=None)),
        a_job(attempt=2),
        a_pod(attempt=2).running(),
    )
    second = planner.plan(a_snapshot(*parts, samples={"pod-llama-2": a_sample(report, attempt=2)})).statuses[
        "uid-llama"
    ]
    assert second.progress is not None
    assert (second.progress.bytes_network, second.progress.bytes_reused) == (47 * MB, 0)
    assert second.worker is not None
    assert second.worker.bytes_network_before == 42 * MB


@pytest.mark.parametrize("suspended", [True, False], ids=["paused", "cancelled"])
def test_the_termination_report_of_a_worker_that_was_stopped_is_in_the_status(suspended: bool) -> None:
    stored = planner.plan(
        a_snapshot(a_sync(), a_job(), a_pod().running(), samples={POD: a_sample(a_progress(24 * MB))})
    ).statuses["uid-llama"]
    sync = a_sync().with_status(stored)
    sync = sync.suspended() if suspended else sync.cancelled()
    stopping = planner.plan(a_snapshot(sync, a_pod().running().with_record(deleting=True))).statuses[
        "uid-llama"
    ]
    assert stopping.phase is Phase.DOWNLOADING
    words = termination_report(Reason.INTERRUPTED, progress=a_progress(100 * MB, bytes_network_before=0))
    gone = a_pod().ended(5, words).with_record(deleting=True).build()
    picture = replace(a_snapshot(sync.with_status(stopping)), last_pods={"uid-llama": gone})
    ended = planner.plan(picture).statuses["uid-llama"]
    assert ended.phase is (Phase.PAUSED if suspended else Phase.CANCELLED)
    for _ in range(3):
        assert ended.progress is not None
        assert (ended.progress.bytes_done, ended.progress.bytes_network) == (100 * MB, 100 * MB)
        picture = replace(picture, syncs={"uid-llama": sync.with_status(ended).build()})
        again = planner.plan(picture).statuses["uid-llama"]
        assert again == ended, "a termination report counts once"


@pytest.mark.parametrize(
    ("before", "report", "want"),
    [
        pytest.param(None, None, api.ProgressStatus(percent=100), id="nothing known"),
        pytest.param(
            api.ProgressStatus(bytes_done=7, percent=None),
            None,
            api.ProgressStatus(bytes_done=7, bytes_total=7, percent=100),
            id="the whole was never reported",
        ),
        pytest.param(
            api.ProgressStatus(bytes_done=7, bytes_total=9, files_total=2, files_done=1),
            None,
            api.ProgressStatus(bytes_done=9, bytes_total=9, files_total=2, files_done=2, percent=100),
            id="no report",
        ),
    ],
)
def test_complete_is_a_hundred_per_cent(
    before: api.ProgressStatus | None, report: protocol.Progress | None, want: api.ProgressStatus
) -> None:
    assert progress.completed(before, report, 0) == want


def test_texts_follow_the_numbers() -> None:
    numbers = shown(a_progress(1_800 * MB, 4_000 * MB, bytes_per_second=182 * MB))
    assert progress.for_people(a_spec(), numbers, downloading=True) == api.Display(
        progress="45.0%",
        amount="1.8GB/4.0GB ~ 45.0%",
        speed="182MB/s",
        eta="13s",
        size="4.0GB",
        stage="Downloading",
        source="hf://org/model@main",
        target="pvc/models:model",
    )


def test_texts_of_an_unknown_whole_say_what_is_there() -> None:
    texts = progress.for_people(
        a_spec(), shown(a_progress(350 * MB, None, bytes_per_second=MB)), downloading=True
    )
    assert (texts.amount, texts.progress, texts.eta, texts.size) == ("Downloaded 350MB...", None, None, None)


def test_source_and_target_are_reported_before_anything_else() -> None:
    assert progress.for_people(a_spec(), None, downloading=False) == api.Display(
        source="hf://org/model@main", target="pvc/models:model"
    )


@pytest.mark.parametrize(
    ("stage", "received", "want"),
    [
        pytest.param(Stage.DOWNLOADING, NOW, "1.0MB/s", id="downloading"),
        pytest.param(Stage.VERIFYING, NOW, None, id="verifying"),
        pytest.param(Stage.DOWNLOADING, NOW - timedelta(seconds=31), None, id="not heard of for long"),
    ],
)
def test_speed_and_time_left_are_shown_only_while_bytes_flow(
    stage: Stage, received: object, want: str | None
) -> None:
    sample = a_sample(a_progress(10 * MB, bytes_per_second=MB), stage=stage, received=received)  # type: ignore[arg-type]
    status = planner.plan(a_snapshot(a_sync(), a_job(), a_pod().running(), samples={POD: sample})).statuses[
        "uid-llama"
    ]
    assert status.display is not None
    assert status.display.speed == want
    assert (status.display.eta is None) == (want is None)
    assert status.display.progress == "10.0%"


ESTIMATE = selection.Estimate(size="400M", files=8)


@pytest.mark.parametrize(
    ("report", "amount", "per_cent", "size", "files"),
    [
        pytest.param(
            a_progress(100 * MB, None), "100MB/~400MB ~ 25.0%", "~25.0%", "~400MB", 8, id="nothing is known"
        ),
        pytest.param(
            a_progress(100 * MB, 200 * MB),
            "100MB/200MB ~ 50.0%",
            "50.0%",
            "200MB",
            None,
            id="the source states it",
        ),
        pytest.param(
            a_progress(100 * MB, None, files_total=3),
            "100MB/~400MB ~ 25.0%",
            "~25.0%",
            "~400MB",
            3,
            id="the number of files is known",
        ),
        pytest.param(
            a_progress(401 * MB, None), "Downloaded 401MB...", None, None, 8, id="more than was thought"
        ),
    ],
)
def test_an_estimate_stands_in_until_the_source_states_it(
    report: protocol.Progress, amount: str, per_cent: str | None, size: str | None, files: int | None
) -> None:
    numbers = progress.running(None, a_sample(report), 0, ESTIMATE)
    texts = progress.for_people(a_spec(estimate=ESTIMATE), numbers, downloading=True)
    assert (texts.amount, texts.progress, texts.size, numbers.files_total) == (amount, per_cent, size, files)
    assert progress.running(numbers, a_sample(report), 0, ESTIMATE) == numbers, "reported again, it stays"


@pytest.mark.parametrize(
    ("done", "downloading", "text"),
    [
        pytest.param(0, True, "Downloaded 0B...", id="at first"),
        pytest.param(350 * MB, True, "Downloaded 350MB...", id="under way"),
        pytest.param(350 * MB, False, "Downloaded 350MB", id="at rest"),
        pytest.param(0, False, None, id="at rest without a byte"),
    ],
)
def test_amount_of_an_unknown_whole_goes_on_only_while_it_does(
    done: int, downloading: bool, text: str | None
) -> None:
    numbers = api.ProgressStatus(bytes_done=done)
    assert progress.for_people(a_spec(), numbers, downloading=downloading).amount == text


@pytest.mark.parametrize("done", [0, 350 * MB])
def test_failed_sync_of_an_unknown_size_does_not_look_as_if_it_went_on(done: int) -> None:
    sample = a_sample(a_progress(done, None))
    parts = (a_sync(), a_job(), a_pod().running())
    running = planner.plan(a_snapshot(*parts, samples={"pod-llama-1": sample})).statuses["uid-llama"]
    assert running.display is not None and running.display.amount is not None
    words = termination_report(Reason.ACCESS_DENIED, progress=a_progress(done, None))
    ended = (a_sync().with_status(running), a_job().failed(), a_pod().ended(12, words))
    failed = planner.plan(a_snapshot(*ended)).statuses["uid-llama"]
    assert failed.phase is Phase.FAILED
    assert failed.display is not None and "..." not in (failed.display.amount or "")


def test_what_was_estimated_is_forgotten_when_the_source_states_it() -> None:
    before = progress.running(None, a_sample(a_progress(100 * MB, None)), 0, ESTIMATE)
    assert before.estimated
    after = progress.running(before, a_sample(a_progress(100 * MB, 200 * MB, files_total=2)), 0, ESTIMATE)
    assert (after.estimated, after.bytes_total, after.files_total, after.percent) == (None, 200 * MB, 2, 50)
    done = progress.completed(before, None, 0)
    assert (done.bytes_total, done.percent, done.estimated) == (100 * MB, 100, None)


def test_all_that_was_estimated_is_not_all() -> None:
    numbers = progress.running(None, a_sample(a_progress(400 * MB, None)), 0, ESTIMATE)
    assert numbers.percent == 99


def test_a_forecast_by_an_estimate_is_marked_too() -> None:
    sample = a_sample(a_progress(100 * MB, None, bytes_per_second=MB))
    numbers = progress.running(None, sample, 0, ESTIMATE)
    assert numbers.estimated_completion_time == NOW + timedelta(seconds=300)
    assert progress.for_people(a_spec(), numbers, downloading=True).eta == "~5m 0s"


def test_an_estimate_is_shown_while_the_sync_waits_and_causes_one_write() -> None:
    sync = a_sync().with_spec(estimate=ESTIMATE).suspended()
    status = planner.plan(a_snapshot(sync)).statuses["uid-llama"]
    assert status.display is not None and status.progress is not None
    assert (status.display.size, status.display.progress) == ("~400MB", None)
    assert (status.progress.bytes_total, status.progress.files_total) == (400 * MB, 8)
    again = sync.with_status(status)
    assert planner.plan(a_snapshot(again)).statuses["uid-llama"] is again.status


@pytest.mark.parametrize("estimate", [None, selection.Estimate(), selection.Estimate(size="lots")])
def test_no_estimate_changes_nothing(estimate: selection.Estimate | None) -> None:
    assert progress.assumed(None, estimate) is None
    numbers = shown(a_progress(1, None))
    assert progress.assumed(numbers, estimate) == numbers
