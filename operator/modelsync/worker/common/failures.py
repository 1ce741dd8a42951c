"""How an attempt fails: with one reason of the closed vocabulary and a sentence for people.

The message names the field of the ModelSync and the fix. It never holds a URL's query, a token or a
password: it ends up in a status, an Event and a log. What an origin said may be part of it, so it is cleaned
here, where every message passes.
"""

from collections.abc import Iterator

from modelsync.api import exitcodes, foreign
from modelsync.api.reasons import Reason


class Failure(Exception):
    """An attempt cannot go on."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        self.message = foreign.clean(message)
        super().__init__(self.message)

    @property
    def exit_code(self) -> int:
        """The worker's exit code for this reason."""
        return exitcodes.BY_REASON.get(self.reason, exitcodes.BY_REASON[Reason.INTERNAL_ERROR])

    @property
    def retryable(self) -> bool:
        """Whether another attempt can help without a user's act."""
        return exitcodes.is_retryable(self.exit_code)


class Interrupted(Exception):
    """SIGTERM or the user's Ctrl-C: stop in order, keep what there is."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all that led to it: libraries wrap what happened, each in an error of its own."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
