"""A ModelSync that is deleted before its end leaves unfinished files, and its Event says which and where."""

import pytest

from modelsync.api import modelsync_status as api
from modelsync.api.reasons import Phase, Reason
from modelsync.core.status import event_rules
from tests.builders import MB, SyncBuilder, a_failure, a_sync


def under_way(done: int | None, total: int | None, **fields: object) -> SyncBuilder:
    """A sync that downloads."""
    progress = api.ProgressStatus(bytes_done=done, bytes_total=total, **fields)
    return a_sync().with_status(phase=Phase.DOWNLOADING, attempts=1, progress=progress)


LEFT = under_way(24 * MB, 400 * MB)
CASES = {
    "downloading": (LEFT, "up to 400MB of unfinished files"),
    "at the first byte: blocks are reserved": (under_way(0, 400 * MB), "up to 400MB"),
    "of an unknown size": (under_way(24 * MB, None), "24.0MB or more"),
    "by an estimate": (under_way(24 * MB, 999 * MB, estimated=True), "24.0MB or more"),
    "partly there before": (under_way(24 * MB, 400 * MB, bytes_reused=20 * MB), "up to 380MB"),
    "failed": (LEFT.with_status(phase=Phase.FAILED, last_failure=a_failure()), "up to 400MB"),
    "paused": (LEFT.with_status(phase=Phase.PAUSED), "up to 400MB"),
    "cancelled": (LEFT.with_status(phase=Phase.CANCELLED), "up to 400MB"),
    "a check that fetches": (
        LEFT.with_status(artifacts=(api.Artifact(path="llama", bytes=1, attempt=1),)),
        "up to 400MB",
    ),
}
QUIET = {
    "new": a_sync(),
    "waiting": a_sync().with_status(phase=Phase.QUEUED),
    "complete": under_way(400 * MB, 400 * MB).with_status(phase=Phase.COMPLETE),
    "failed before its source was listed": under_way(0, None).with_status(phase=Phase.FAILED),
    "all was there before": under_way(400 * MB, 400 * MB, bytes_reused=400 * MB),
    "an estimate alone": under_way(0, 999 * MB, estimated=True),
}


@pytest.mark.parametrize("name", CASES)
def test_deletion_before_the_end_says_what_is_left_and_where(name: str) -> None:
    sync, amount = CASES[name]
    said = event_rules.deleted(sync.build())
    assert said is not None
    assert (said.type, said.reason) == ("Warning", Reason.UNFINISHED_FILES_LEFT)
    for words in (amount, "'models'", "'llama/.modelsync/uid-llama'", "modelsync clean"):
        assert words in said.message


@pytest.mark.parametrize("name", QUIET)
def test_deletion_that_leaves_nothing_says_nothing(name: str) -> None:
    assert event_rules.deleted(QUIET[name].build()) is None


def test_place_within_the_volumes_root_is_named_without_a_slash() -> None:
    said = event_rules.deleted(LEFT.on_claim("models", "").build())
    assert said is not None and "'.modelsync/uid-llama'" in said.message
