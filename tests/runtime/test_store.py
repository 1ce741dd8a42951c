"""The store's one rule: the newest version of each object, whatever the order in which it hears of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelsync.api import modelsync as api
from modelsync.api import protocol
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache, job_signatures
from modelsync.runtime.cluster.resources import JOBS, PODS, SYNCS
from tests.runtime import harness

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(version: int, phase: str = "Queued", name: str = "llama") -> dict[str, Any]:
    return harness.versioned(harness.sync(name, phase=phase), version)


@pytest.mark.parametrize(
    ("observed", "want"),
    [
        pytest.param([("ADDED", 5, "Queued"), ("MODIFIED", 7, "Failed")], "Failed", id="in order"),
        pytest.param([("MODIFIED", 7, "Failed"), ("ADDED", 5, "Queued")], "Failed", id="out of order"),
        pytest.param(
            [("ADDED", 9, "Queued"), ("MODIFIED", 10, "Failed")], "Failed", id="as numbers, not text"
        ),
        pytest.param([(None, 5, "Queued"), (None, 5, "Failed")], "Queued", id="the same version is no news"),
        pytest.param([("ADDED", 5, "Queued"), ("DELETED", 6, "Queued")], None, id="deleted"),
        pytest.param(
            [("DELETED", 6, "Queued"), (None, 5, "Queued")], None, id="a stale list after the deletion"
        ),
    ],
)
def test_the_newest_version_wins(observed: list[tuple[str | None, int, str]], want: str | None) -> None:
    known = cache.Store()
    for event, version, phase in observed:
        known.observe(SYNCS, event, at(version, phase))
    found = known.syncs.get("uid-llama")
    assert (found.status.phase if found else None) == want


def test_a_sweep_forgets_what_a_list_does_not_hold_and_keeps_what_is_newer() -> None:
    known = cache.Store()
    for name, version in (("listed", 1), ("lost", 2), ("made after the list", 12)):
        known.observe(SYNCS, "ADDED", at(version, name=name))
    assert known.sweep(SYNCS, None, {"uid-listed"}, 10, mark=2) == 1
    assert sorted(record.name for record in known.syncs.values()) == ["listed", "made after the list"]


@pytest.mark.parametrize(
    ("before", "read", "after", "want"),
    [
        pytest.param([("ADDED", 9, "Failed")], (5, "Queued"), [], "Queued", id="versions went back"),
        pytest.param([("ADDED", 9, "Failed")], (9, "Queued"), [], "Queued", id="another with its version"),
        pytest.param(
            [("ADDED", 5, "Queued")], (5, "Queued"), [("MODIFIED", 7, "Failed")], "Failed", id="news since"
        ),
        pytest.param(
            [("ADDED", 5, "Queued"), ("DELETED", 6, "Queued")], (5, "Queued"), [], "Queued", id="came back"
        ),
        pytest.param(
            [("ADDED", 5, "Queued")], (5, "Queued"), [("DELETED", 6, "Queued")], None, id="gone since"
        ),
        pytest.param([("ADDED", 9, "Failed")], None, [], None, id="not there any more"),
        pytest.param([], None, [("ADDED", 12, "Queued")], "Queued", id="made since"),
    ],
)
def test_a_reading_is_true_of_all_that_was_known_when_it_began(
    before: list[tuple[str, int, str]],
    read: tuple[int, str] | None,
    after: list[tuple[str, int, str]],
    want: str | None,
) -> None:
    rewinds: list[int] = []
    known = cache.Store(on_rewind=lambda: rewinds.append(1))
    for event, version, phase in before:
        known.observe(SYNCS, event, at(version, phase))
    mark = known.mark()
    for event, version, phase in after:  # heard while the list was read
        known.observe(SYNCS, event, at(version, phase))
    if read is not None:
        known.observe(SYNCS, None, at(*read), mark=mark)
    known.sweep(SYNCS, None, {"uid-llama"} if read else set(), 6, mark=mark)
    found = known.syncs.get("uid-llama")
    assert (found.status.phase if found else None) == want
    assert bool(rewinds) == (
        read is not None and not after and before != [] and want == "Queued" and read[0] < 9
    )


def test_a_list_that_finds_all_as_it_was_changes_no_record() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", at(5))
    before = known.syncs["uid-llama"]
    assert not known.observe(SYNCS, None, at(5), mark=known.mark())
    assert known.syncs["uid-llama"] is before


def test_a_sweep_of_one_namespace_leaves_the_others() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", at(1))
    assert known.sweep(SYNCS, "elsewhere", set(), 10, mark=9) == 0
    assert known.sweep(SYNCS, "models", set(), 10, mark=9) == 1


def test_an_assumed_job_counts_until_it_is_seen() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", at(1))
    known.assume(known.syncs["uid-llama"], "llama-uid-ll-1", 1)
    assert [job.uid for job in picture(known).jobs] == ["assumed-uid-llama-1"]
    raw, made = harness.job(), job_signatures.Made(sync_uid="uid-llama", attempt=1, queue="default")
    known.proofs.sign(raw, made, NOW)
    known.observe(JOBS, "ADDED", harness.versioned(raw, 2))
    assert [job.uid for job in picture(known).jobs] == ["job-llama-uid-ll-1"]


def test_an_assumed_job_goes_with_its_sync_or_when_it_is_refuted() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", at(1))
    known.assume(known.syncs["uid-llama"], "one", 1)
    known.forget_assumed("models", "one")
    assert not picture(known).jobs
    known.assume(known.syncs["uid-llama"], "two", 2)
    known.observe(SYNCS, "DELETED", at(2))
    assert not picture(known).jobs


def test_same_problem_again_is_no_news() -> None:
    woken: list[int] = []
    known = cache.Store(wake=lambda: woken.append(1))
    for message in ("no quota", "no quota", "other"):
        known.set_problem("u", snapshot.StartProblem(message=message))
    assert (len(woken), known.problems["u"].message) == (2, "other")


def test_only_news_wakes() -> None:
    woken: list[int] = []
    known = cache.Store(wake=lambda: woken.append(1))
    for version in (3, 3, 2):
        known.observe(SYNCS, None, at(version))
    assert len(woken) == 1


def test_the_last_state_of_a_pod_is_reported_before_it_goes() -> None:
    known = cache.Store()
    heard: list[snapshot.PodRecord] = []
    known.on_pod(heard.append)
    known.observe(PODS, "ADDED", harness.versioned(harness.pod(), 1))
    known.observe(PODS, "DELETED", harness.versioned(harness.pod(words=harness.words()), 2))
    assert [pod.termination is not None for pod in heard] == [False, True]
    assert not known.pods


def test_samples_and_problems_go_with_their_pod() -> None:
    known = cache.Store()
    known.observe(PODS, "ADDED", harness.versioned(harness.pod(), 1))
    report = protocol.ProgressReport(uid="uid-llama", attempt=1, stage="Downloading")
    known.sample("pod-1", snapshot.Sample(report=report, received=NOW))
    known.set_problem("pod-1", snapshot.StartProblem(message="m"))
    known.observe(PODS, "DELETED", harness.versioned(harness.pod(), 2))
    assert not known.samples and not known.problems
    known.sample("pod-1", snapshot.Sample(report=report, received=NOW))
    assert not known.samples, "a poll that ends after its Pod leaves nothing behind"


def test_a_snapshot_does_not_change_with_the_store() -> None:
    known = cache.Store()
    before = picture(known)
    known.observe(SYNCS, "ADDED", at(1))
    assert not before.syncs
    assert isinstance(picture(known).syncs["uid-llama"].spec, api.ModelSyncSpec)


def picture(known: cache.Store) -> snapshot.Snapshot:
    return known.snapshot(NOW, snapshot.Settings())


def last_pods(known: cache.Store) -> dict[str, protocol.TerminationReport | None]:
    picture = known.snapshot(NOW, snapshot.Settings())
    return {uid: pod.termination for uid, pod in picture.last_pods.items()}


@pytest.mark.parametrize("swept", [False, True], ids=["deleted", "found gone by a list"])
def test_the_termination_report_of_a_pod_outlives_it_for_a_moment(
    swept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(attempts=1), 1))
    ended = harness.pod(words=harness.words(reason="Interrupted"))
    known.observe(PODS, "MODIFIED", harness.versioned(ended, 5))
    assert last_pods(known) == {}
    if swept:
        known.sweep(PODS, None, set(), 9, mark=9)
    else:
        known.observe(PODS, "DELETED", harness.versioned(ended, 6))
    assert [words and words.reason for words in last_pods(known).values()] == ["Interrupted"]
    monkeypatch.setattr(cache, "_KEEP_LAST_POD", timedelta(0))
    assert last_pods(known) == {}


def test_a_pod_that_is_gone_without_words_or_without_its_sync_leaves_nothing() -> None:
    known = cache.Store()
    known.observe(SYNCS, "ADDED", at(1))
    known.observe(PODS, "DELETED", harness.versioned(harness.pod(), 5))
    stranger = harness.pod("uid-other", words=harness.words("uid-other"))
    stranger["metadata"]["uid"] = "pod-2"
    known.observe(PODS, "DELETED", harness.versioned(stranger, 6))
    assert last_pods(known) == {}
