"""What an error that nobody expected means to the attempt; its details stay in the log."""

import logging

from modelsync.api.reasons import Reason
from modelsync.worker.common import volume_errors
from modelsync.worker.common.failures import Failure

_log = logging.getLogger(__name__)


def internal(error: BaseException) -> Failure:
    """An error of our own; its text may hold a URL or a token, so only its class is shown."""
    _log.error("internal error", exc_info=error)
    return Failure(Reason.INTERNAL_ERROR, f"The worker failed: {type(error).__name__}. See its log.")


def while_fetching(error: BaseException) -> Failure:
    """What ended a thread of an engine: a failure as it is, the volume's trouble, or an error of our own."""
    if isinstance(error, Failure):
        return error
    return volume_errors.failure(error, "fetching") if isinstance(error, OSError) else internal(error)
