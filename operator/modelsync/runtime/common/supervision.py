"""Parts that run forever: what nobody foresaw in one of them ends neither it nor the others.

An exception that leaves a task of a TaskGroup cancels the whole group: one odd object, or one library's odd
error, would end the operator, and again after its restart. Only a lost lease and the ordered end may.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from modelsync import errors

_log = logging.getLogger(__name__)
_FIRST, _LONGEST = 1.0, 30.0
_WELL = 60.0
"""Seconds after which a part counts as well again."""


class Stopped(Exception):
    """The ordered end is done; the rest is to be cancelled."""


async def steadily(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run a part; log what it did not expect and run it again, rarer and rarer while that goes on."""
    wait, clock = _FIRST, asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            return await run()
        except (errors.LeaseLost, Stopped):
            raise
        except Exception:
            wait = _FIRST if clock() - began >= _WELL else wait
            _log.exception(
                "the part %r failed unexpectedly; it starts again in %.0f s; please report this",
                name,
                wait,
                extra={"part": name},
            )
        await sleep(wait)
        wait = min(2 * wait, _LONGEST)


def report(task: "asyncio.Task[None]") -> None:
    """A task's callback when it is done: log what it raised, which nobody else would ask for."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("a task failed unexpectedly; please report this", exc_info=error)
