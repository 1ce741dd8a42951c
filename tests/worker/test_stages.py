"""Honest stages: each counts its own figures, advances by nothing else, and is seen in the report."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.protocol import StageProgress
from modelsync.api.reasons import Stage
from modelsync.api.source import sources as api
from modelsync.api.source.transfer import Layout, Verification
from modelsync.worker.attempt import process
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.stages import Stages
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from modelsync.worker.sources import factory
from modelsync.worker.sources.credentials import Given
from tests.worker.syncs import Sync

FILES = {"a/model.bin": noise(3_000_000), "b/config.json": b"{}", "c": noise(70_000, "c"), "d/empty": b""}
TOTAL = sum(map(len, FILES.values()))


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Kept(Stages):
    """Stages that keep what each had reached when it was left."""

    def __init__(self) -> None:
        super().__init__()
        self.left: list[tuple[Stage, StageProgress]] = []

    def enter(self, stage: Stage, *, files: int | None = None, size: int | None = None) -> None:
        if stage is not self.stage:
            self.left.append((self.stage, self.figures()))
        super().enter(stage, files=files, size=size)

    def reached(self, stage: Stage) -> StageProgress:
        """The last figures of a stage, by its name."""
        return dict(self.left)[stage]


def test_a_stage_gets_on_by_its_own_figures_alone() -> None:
    clock = Clock()
    state = State(Meter(clock=clock))
    for stage in (Stage.RESOLVING, Stage.CHECKING, Stage.VERIFYING, Stage.PUBLISHING):
        state.stages.enter(stage)
        clock.now += 50
        state.received(1)  # a byte is no progress of a stage that needs none
        assert state.idle_seconds() == 50.0, stage
        state.stages.advance(files=1)
        assert state.idle_seconds() == 0.0, stage
    state.stages.enter(Stage.DOWNLOADING)
    clock.now += 50
    state.stages.advance(files=1)
    assert state.idle_seconds() == 50.0
    state.received(1)
    assert state.idle_seconds() == 0.0


def test_figures_are_unknown_until_counted_and_never_exceed_their_total() -> None:
    stages = Stages()
    assert stages.figures() == StageProgress()
    stages.advance(files=3)
    assert stages.figures() == StageProgress(files_done=3)
    stages.restart_count(files=2)
    assert stages.figures() == StageProgress(files_done=0, files_total=2)
    stages.advance(files=3, size=9)
    assert stages.figures() == StageProgress(files_done=2, files_total=2, bytes_done=9)
    stages.enter(Stage.CHECKING, files=1, size=4)
    assert stages.figures() == StageProgress(files_done=0, files_total=1, bytes_done=0, bytes_total=4)
    stages.enter(Stage.CHECKING, files=7)
    assert stages.figures().files_total == 1, "a stage that goes on is not begun again"


def _kept(sync: Sync) -> Kept:
    sync.state = State(Meter())
    sync.state.stages = kept = Kept()
    sync.run()
    return kept


def _checked(files: int, size: int) -> StageProgress:
    return StageProgress(files_done=files, files_total=files, bytes_done=size, bytes_total=size)


@pytest.mark.parametrize("verification", list(Verification))
def test_all_stages_reach_their_ends(tmp_path: Path, verification: Verification) -> None:
    with WebOrigin(FILES) as origin:
        sync = Sync(origin, tmp_path, verification=verification)
        first, again = _kept(sync), _kept(sync)
        (tmp_path / "model/a/model.bin").unlink()
        (tmp_path / "model/c").write_bytes(b"damaged")
        repaired = _kept(sync)
    for kept, fetched in ((first, 4), (again, 0), (repaired, 2)):
        assert kept.reached(Stage.CHECKING) == _checked(4, TOTAL)
        assert kept.reached(Stage.PUBLISHING) == StageProgress(files_done=fetched, files_total=fetched)
        assert kept.stage is Stage.DONE
        assert (Stage.DOWNLOADING in dict(kept.left)) == bool(fetched)


def test_a_check_counts_bytes_while_it_reads_them(tmp_path: Path) -> None:
    """A file of a hundred gigabytes must not look like silence."""
    with WebOrigin(FILES) as origin:
        sync = Sync(origin, tmp_path)
        sync.run()
        seen: list[int] = []

        class Watched(Kept):
            def advance(self, *, files: int = 0, size: int = 0) -> None:
                super().advance(files=files, size=size)
                if self.stage is Stage.CHECKING:
                    seen.append(self.figures().bytes_done or 0)

        sync.state = State(Meter())
        sync.state.stages = Watched()
        sync.run()
    assert seen == sorted(seen)
    assert max(after - before for before, after in zip([0, *seen], seen, strict=False)) <= 1 << 20


@pytest.fixture
def hub() -> Iterator[HubServer]:
    files = {f"{number:04}.json": b"{}" for number in range(120)}
    with HubServer(Repository("org/model", {**files, "model.bin": Synthetic(300_000)})) as server:
        yield server


def test_a_hub_s_listing_counts_its_entries(hub: HubServer) -> None:
    stages = Stages()
    spec = api.Source(hugging_face=api.HuggingFaceSource(repository="org/model", endpoint=hub.url))
    factory.open_source(spec, Given(where="x"), Network(), stages=stages).resolve(None)
    assert stages.figures() == StageProgress(files_done=121)


def test_probes_of_urls_count_against_their_number() -> None:
    with WebOrigin(FILES) as origin:
        stages = Stages()
        files = tuple(api.HttpFile(url=f"{origin.url}/{path}", path=path) for path in FILES)
        spec = api.Source(http=api.HttpSource(files=files))
        factory.open_source(spec, Given(where="x"), Network(), stages=stages).resolve(None)
    assert stages.figures() == StageProgress(files_done=4, files_total=4)


@pytest.mark.parametrize("stage", list(Stage))
def test_the_report_shows_the_stage_its_figures_and_its_silence(tmp_path: Path, stage: Stage) -> None:
    with WebOrigin(FILES) as origin:
        request = Sync(origin, tmp_path).request()
    place = process.PodInterface(volume=tmp_path, termination_log=tmp_path / "words", port=0, key="")
    running = process.Attempt(request, place, threading.Event())
    clock = Clock()
    running.state = State(Meter(clock=clock))
    clock.now = 100.0
    running.state.stages.enter(stage, files=40)
    clock.now = 131.0
    report = running.report()
    assert report.stage is stage
    assert report.idle_seconds == (131.0 if stage is Stage.RESOLVING else 31.0)
    running.state.stages.advance(files=12)
    report = running.report()
    assert report.idle_seconds == (31.0 if stage is Stage.DOWNLOADING else 0.0)
    if stage is not Stage.RESOLVING:  # the first stage, which began before
        assert (report.stage_progress.files_done, report.stage_progress.files_total) == (12, 40)


def test_hashing_what_was_fetched_is_progress_of_verifying_alone() -> None:
    state = State(Meter())
    for stage, want in ((Stage.DOWNLOADING, None), (Stage.VERIFYING, 5)):
        state.stages.enter(stage)
        state.hashed(5)
        assert state.stages.figures().bytes_done == want


def test_a_cache_s_layout_counts_alike(hub: HubServer, tmp_path: Path) -> None:
    from tests.worker.hubs import HubSync

    sync = HubSync(hub, tmp_path / "volume", layout=Layout.HUGGING_FACE_CACHE)
    sync.run()
    total = 300_000 + 2 * 120
    assert sync.state.stages.stage is Stage.DONE
    sync.uid = "uid-2"  # what its own attempt fetched would not count as reused
    sync.run()
    shown = sync.state.progress()
    assert (shown.bytes_done, shown.bytes_network, shown.bytes_reused) == (total, 0, 300_000 + 2)
