"""An engine that waits for itself says so, and does not blame the origin."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure
from modelsync.worker.engines import self_blocking
from modelsync.worker.engines.native.buffer_pool import Pool
from modelsync.worker.engines.native.verifier import Verifier
from modelsync.worker.engines.self_blocking import Standstill
from tests.worker.syncs import CHUNK, Sync

BROKEN = {
    "no connection gets a block": (Pool, "_found", lambda *_: None, "waiting for model.bin at"),
    "nobody hashes a file that is there": (Verifier, "advance", lambda *_: None, "0 files are hashed"),
}


@pytest.mark.parametrize(("owner", "name", "broken", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_wait_for_itself_ends_as_an_internal_error_with_the_pool_in_the_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
    name: str,
    broken: Callable[..., None],
    said: str,
) -> None:
    monkeypatch.setattr(owner, name, broken)
    monkeypatch.setattr(self_blocking, "LOOKS", 10)
    with (
        WebOrigin({"model.bin": noise(20 * CHUNK)}) as origin,
        caplog.at_level(logging.ERROR),
        pytest.raises(Failure) as caught,
    ):
        Sync(origin, tmp_path, deadline=60).run()
    assert caught.value.reason is Reason.INTERNAL_ERROR and caught.value.retryable
    assert caught.value.message == "The worker failed: SelfBlocked. See its log."
    assert said in caplog.text and "blocks: " in caplog.text


def test_only_looks_in_a_row_count_at_which_nothing_has_moved() -> None:
    still = Standstill()
    for _ in range(3):
        assert not any(still.look("moved", waits=True) for _ in range(self_blocking.LOOKS - 1))
        assert not still.look("moved", waits=False)
    assert not any(still.look(number, waits=True) for number in range(2 * self_blocking.LOOKS))
    assert [still.look("moved", waits=True) for _ in range(self_blocking.LOOKS + 1)][-2:] == [False, True]
