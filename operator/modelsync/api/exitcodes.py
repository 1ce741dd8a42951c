"""The worker's exit codes: one number a reason, and what a reason asks of the operator.

The code is the channel that survives everything (a lost termination message, a dead operator), so its
tens alone say whether another attempt can help: 10-19 the user's error, 20-29 space or permission,
30-39 integrity or a changed source, 50-59 passing trouble, 143 interrupted by SIGTERM.
"""

from modelsync.api.reasons import Reason

DONE = 0
INTERRUPTED = 143

BY_REASON: dict[Reason, int] = {
    Reason.INVALID_SPEC: 10,
    Reason.AUTHENTICATION_FAILED: 11,
    Reason.ACCESS_DENIED: 12,
    Reason.NOT_FOUND: 13,
    Reason.REVISION_NOT_FOUND: 14,
    Reason.NOTHING_MATCHED: 15,
    Reason.UNSAFE_PATH: 16,
    Reason.SECRET_NOT_FOUND: 17,
    Reason.DOWNLOADS_DISABLED: 18,
    Reason.ADDRESS_FORBIDDEN: 19,
    Reason.INSUFFICIENT_STORAGE: 20,
    Reason.VOLUME_NOT_WRITABLE: 21,
    Reason.CHECKSUM_MISMATCH: 30,
    Reason.SIZE_MISMATCH: 31,
    Reason.SOURCE_CHANGED: 32,
    Reason.NETWORK_ERROR: 50,
    Reason.RATE_LIMITED: 51,
    Reason.ORIGIN_ERROR: 52,
    Reason.PROGRESS_DEADLINE_EXCEEDED: 53,
    Reason.TARGET_BUSY: 54,
    Reason.DOWNLOAD_TOO_SLOW: 55,
    Reason.INTERNAL_ERROR: 59,
    Reason.INTERRUPTED: INTERRUPTED,
}

BY_CODE: dict[int, Reason] = {code: reason for reason, code in BY_REASON.items()}


def is_retryable(code: int) -> bool:
    """Whether another attempt can help without a user's act.

    A changed source (32) is worth one: the next attempt resolves again. A wrong checksum is not: the
    worker has already fetched the file again before it gave up. Codes of other programs (137, 139, …)
    are the platform's trouble and are retried.
    """
    return not 10 <= code <= 31


def reason_for(code: int) -> Reason:
    """The reason behind an exit code; `InternalError` for a code that is not ours."""
    return BY_CODE.get(code, Reason.INTERNAL_ERROR)
