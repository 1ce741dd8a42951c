"""Small files get as many connections as hide the origin's delay."""

from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from modelsync.worker.engines.native import schedule
from modelsync.worker.engines.native.small_file_concurrency import SAMPLES, Crowd
from tests.worker.syncs import Sync

MOST = 8
MILLISECOND = 0.001
ORIGINS = {
    "no delay": (0.0, 1),
    "less delay than work": (0.1 * MILLISECOND, 2),
    "as much as the work": (0.4 * MILLISECOND, 2),
    "a node next door": (1.0 * MILLISECOND, 4),
    "far away": (40 * MILLISECOND, MOST),
}


@pytest.mark.parametrize(("delay", "needed"), ORIGINS.values(), ids=ORIGINS.keys())
def test_the_number_hides_the_delay(delay: float, needed: int) -> None:
    crowd = Crowd(MOST)
    for _ in range(SAMPLES):
        assert crowd.needed == MOST
        crowd.record(0.4 * MILLISECOND + delay, 0.4 * MILLISECOND)
    assert crowd.needed == needed


def test_waits_for_the_interpreter_do_not_count_as_the_origins() -> None:
    crowd = Crowd(MOST)
    for number in range(SAMPLES):
        crowd.record((0.5 if number == 7 else 3.0) * MILLISECOND, 0.4 * MILLISECOND)
    assert crowd.needed == 2


def test_the_number_follows_an_origin_that_becomes_slow() -> None:
    crowd = Crowd(MOST)
    for delay in (0.0, 40 * MILLISECOND):
        for _ in range(SAMPLES):
            crowd.record(0.4 * MILLISECOND + delay, 0.4 * MILLISECOND)
    assert crowd.needed == MOST


class One:
    """A crowd that one connection hides all delay of."""

    needed = 1

    def __init__(self, most: int) -> None:
        pass

    def record(self, seconds: float, work_seconds: float) -> None:
        """Nothing to be learned."""


def test_large_files_do_not_wait_behind_small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "Crowd", One)
    files = {f"a/{number:03}.json": noise(300, f"a{number}") for number in range(100)}
    files |= {f"b/{number}.bin": noise(300_000, f"b{number}") for number in range(4)}
    with WebOrigin(files) as origin:
        manifest = Sync(origin, tmp_path, connections=MOST).run()
        asked = [entry.path for entry in origin.log]
    assert {entry.path for entry in manifest.files} == set(files)
    first_large = next(number for number, path in enumerate(asked) if "b/" in path)
    assert first_large < 50, "the large files waited for the small ones before them"
