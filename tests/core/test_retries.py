"""What is worth another attempt."""

import pytest

from modelsync.api.reasons import Reason
from modelsync.core.attempts import retries


@pytest.mark.parametrize(
    "reason",
    [
        Reason.SECRET_NOT_FOUND,
        Reason.VOLUME_NOT_FOUND,
        Reason.WORKER_UNSCHEDULABLE,
        Reason.IMAGE_PULL_FAILED,
        Reason.JOB_REJECTED,
    ],
)
def test_what_is_fixed_outside_of_the_sync_is_looked_at_again(reason: Reason) -> None:
    assert retries.is_retryable(reason)


@pytest.mark.parametrize("reason", [Reason.NOT_FOUND, Reason.ACCESS_DENIED, Reason.NAME_CONFLICT])
def test_what_only_a_change_of_the_sync_fixes_is_final(reason: Reason) -> None:
    assert not retries.is_retryable(reason)
