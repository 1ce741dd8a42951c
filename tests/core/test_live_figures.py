"""What a status holds beside the sums: the files being fetched, within the whole, and the network. Neither
is a reason for a write."""

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api import modelsync_status as api
from modelsync.api import protocol
from modelsync.api.reasons import Phase, Reason, Stage
from modelsync.core import planner
from modelsync.core.status import active_files
from tests.builders import (
    MB,
    NOW,
    SyncBuilder,
    a_job,
    a_pod,
    a_progress,
    a_sample,
    a_snapshot,
    a_sync,
    termination_report,
)

COUNT = st.integers(0, 200)


def a_file(done: int, total: int | None, path: str = "model.bin") -> protocol.FileProgress:
    return protocol.FileProgress(path=path, bytes_done=done, bytes_total=total)


def status_after(
    stored: api.ModelSyncStatus | None, *files: protocol.FileProgress, done: int = 30
) -> api.ModelSyncStatus:
    """The status that the planner wants of a worker that reports these files."""
    sync = a_sync() if stored is None else a_sync().with_status(stored)
    sample = a_sample(a_progress(done * MB), files=files)
    picture = a_snapshot(sync, a_job(), a_pod().running(), samples={"pod-llama-1": sample})
    return planner.plan(picture).statuses["uid-llama"]


def files_of(status: api.ModelSyncStatus) -> tuple[api.FileStatus, ...] | None:
    assert status.progress is not None
    return status.progress.active_files


@pytest.mark.parametrize(
    ("files", "whole", "want"),
    [
        pytest.param([], (0, 100), None, id="none"),
        pytest.param([(5, 10), (7, 20)], (50, 100), [(5, 10), (7, 20)], id="as reported"),
        pytest.param([(5, None)], (50, 100), [(5, None)], id="a file of unknown size"),
        pytest.param([(5, 10)], (50, None), [(5, 10)], id="a whole of unknown size"),
        pytest.param([(30, 40), (30, 40)], (50, 100), [(30, 40), (20, 40)], id="more bytes than all have"),
        pytest.param([(0, 60), (0, 60)], (0, 100), [(0, 60), (0, None)], id="larger than all are"),
        pytest.param([(9, 5)], (50, 100), [(5, 5)], id="more than all of a file"),
        pytest.param([(0, 0)], (0, 0), [(0, 0)], id="an empty file"),
        pytest.param([(1, 2)] * 20, (50, 100), [(1, 2)] * 8, id="eight of twenty"),
    ],
)  # fmt: skip
def test_files_are_those_reported_within_the_whole(
    files: Sequence[tuple[int, int | None]],
    whole: tuple[int, int | None],
    want: Sequence[tuple[int, int | None]] | None,
) -> None:
    reached = api.ProgressStatus(bytes_done=whole[0], bytes_total=whole[1])
    found = active_files.shown([a_file(*each) for each in files], reached)
    assert (None if found is None else [(each.bytes_done, each.bytes_total) for each in found]) == want


@given(st.lists(st.tuples(COUNT, st.none() | COUNT), max_size=20), COUNT, st.none() | COUNT, st.booleans())
def test_no_sum_of_files_exceeds_the_whole(
    files: list[tuple[int, int | None]], done: int, total: int | None, estimated: bool
) -> None:
    whole = api.ProgressStatus(bytes_done=done, bytes_total=total, estimated=estimated or None)
    found = active_files.shown([a_file(*each) for each in files], whole) or ()
    assert sum(each.bytes_done for each in found) <= done
    assert all(0 <= each.bytes_done <= (each.bytes_total or each.bytes_done) for each in found)
    if total is not None and not estimated:
        assert sum(each.bytes_total or 0 for each in found) <= total


def test_a_long_path_is_shown_by_its_end() -> None:
    (found,) = (
        active_files.shown([a_file(1, 2, "d/" * 200 + "model-00001.bin")], api.ProgressStatus(bytes_done=9))
        or ()
    )
    assert len(found.path) == api.MAX_PATH
    assert (found.path[0], found.path[-17:]) == ("…", "d/model-00001.bin")


def test_the_files_of_a_status_are_at_most_8_300_bytes_of_an_object() -> None:
    largest = 2**53
    files = [a_file(largest, largest, "<" * 500)] * protocol.MAX_FILES_REPORTED
    whole = api.ProgressStatus(bytes_done=largest * 8, bytes_total=largest * 8)
    shown = whole.replace(active_files=active_files.shown(files, whole))
    # The API server writes < as < and so does nothing longer: a character has up to six bytes.
    stored = json.dumps({"activeFiles": shown.dump()["activeFiles"]}, separators=(",", ":"))
    assert len(stored.replace("<", "\\u003c").encode()) <= 8_300


def test_files_alone_cause_no_write_and_come_with_the_next_figures() -> None:
    first = status_after(None, a_file(1 * MB, 50 * MB))
    again = a_sync().with_status(first)
    moved = a_sample(a_progress(30 * MB), files=[a_file(9 * MB, 50 * MB)])
    picture = a_snapshot(again, a_job(), a_pod().running(), samples={"pod-llama-1": moved})
    assert planner.plan(picture).statuses["uid-llama"] is again.status
    (file,) = files_of(status_after(first, a_file(9 * MB, 50 * MB), done=31)) or ()
    assert file.bytes_done == 9 * MB


def test_that_no_file_is_fetched_any_more_is_written() -> None:
    first = status_after(None, a_file(1 * MB, 50 * MB))
    assert files_of(first) is not None
    assert files_of(status_after(first)) is None


@pytest.mark.parametrize("stage", [Stage.VERIFYING, Stage.PUBLISHING, Stage.CHECKING])
def test_only_a_download_fetches_files(stage: Stage) -> None:
    sample = a_sample(a_progress(30 * MB), files=[a_file(1 * MB, 50 * MB)], stage=stage)
    picture = a_snapshot(a_sync(), a_job(), a_pod().running(), samples={"pod-llama-1": sample})
    assert files_of(planner.plan(picture).statuses["uid-llama"]) is None


@pytest.mark.parametrize("reason", [Reason.SYNCED, Reason.NETWORK_ERROR, Reason.ACCESS_DENIED])
def test_an_ended_attempt_leaves_no_file_behind(reason: Reason) -> None:
    sync = a_sync().with_status(status_after(None, a_file(1 * MB, 50 * MB)))
    done = reason is Reason.SYNCED
    job = a_job().complete() if done else a_job().failed()
    pod = a_pod().ended(0 if done else 12, termination_report(reason, progress=a_progress(40 * MB)))
    ended = planner.plan(a_snapshot(sync, job, pod)).statuses["uid-llama"]
    assert ended.phase is not Phase.DOWNLOADING
    assert files_of(ended) is None


def test_a_worker_without_the_field_has_no_files() -> None:
    wire = '{"uid": "uid-llama", "attempt": 1, "stage": "Downloading"}'
    assert protocol.ProgressReport.model_validate_json(wire).files == ()
    status = status_after(None)
    assert status.progress is not None and "activeFiles" not in status.progress.dump()


def network(down: int, up: int) -> protocol.NetworkRate:
    return protocol.NetworkRate(receive_bytes_per_second=down, transmit_bytes_per_second=up)


def carried(status: api.ModelSyncStatus) -> tuple[int, int] | None:
    """Bytes per second down and up that a status shows."""
    assert status.progress is not None
    found = status.progress.network
    return None if found is None else (found.receive_bytes_per_second, found.transmit_bytes_per_second)


def test_the_network_comes_with_the_other_figures_and_causes_no_write() -> None:
    parts = (a_job(), a_pod().running())

    def planned(sync: SyncBuilder, done: int, rate: protocol.NetworkRate | None) -> api.ModelSyncStatus:
        samples = {"pod-llama-1": a_sample(a_progress(done), network=rate)}
        return planner.plan(a_snapshot(sync, *parts, samples=samples)).statuses["uid-llama"]

    first = planned(a_sync(), 10 * MB, network(5 * MB, 10_000))
    assert carried(first) == (5 * MB, 10_000)
    stored = a_sync().with_status(first)
    assert planned(stored, 10 * MB, network(6 * MB, 11_000)) is stored.status
    assert carried(planned(stored, 11 * MB, network(6 * MB, 11_000))) == (6 * MB, 11_000)
    assert carried(planned(stored, 10 * MB, None)) is None, "an old worker that took over says nothing"


@pytest.mark.parametrize(
    ("stage", "age", "want"),
    [
        pytest.param(Stage.DOWNLOADING, 0, (5 * MB, 10_000), id="downloading"),
        pytest.param(Stage.VERIFYING, 0, None, id="verifying"),
        pytest.param(Stage.DOWNLOADING, 31, None, id="not heard of for long"),
    ],
)
def test_the_network_is_shown_only_while_bytes_may_come(
    stage: Stage, age: int, want: tuple[int, int] | None
) -> None:
    sample = a_sample(stage=stage, network=network(5 * MB, 10_000), received=NOW - timedelta(seconds=age))
    parts = (a_sync(), a_job(), a_pod().running())
    assert (
        carried(planner.plan(a_snapshot(*parts, samples={"pod-llama-1": sample})).statuses["uid-llama"])
        == want
    )
