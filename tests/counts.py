"""Two sizes of a test: the short one of `make test`, and the full one of `make chaos` and `make page`."""

import os
from typing import TypeVar

_T = TypeVar("_T")
FULL_VARIABLE = "MODELSYNC_FULL"
FULL = bool(os.environ.get(FULL_VARIABLE))


def chosen(*, short: _T, full: _T) -> _T:
    """What this run takes: `full` where the environment has MODELSYNC_FULL, as these set it."""
    return full if FULL else short
