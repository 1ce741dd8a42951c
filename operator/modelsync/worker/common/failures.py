"""How an attempt fails: with one reason of the closed vocabulary and a sentence for people.

The message names the field of the ModelSync and the fix. It never holds a URL's query, a token or a
password: it ends up in a status, an Event and a log. What an origin said may be part of it, so it is cleaned
here, where every message passes.

All exceptions of the worker, and what each leads to:

    Exception
    ├── Failure                     ends the attempt with its reason and exit code; the code alone decides
    │                               whether the operator starts another one (`api.exitcodes`)
    ├── Interrupted                 ends the attempt on SIGTERM or Ctrl-C; the next one goes on from there
    ├── retry.Transient             one request failed: tried again after a wait while its Budget lasts, then
    │   │                           its `failure` is raised
    │   └── slow_transfer.Trickle   the same; the few bytes that came do not renew the Budget
    ├── range_response.Changed      the file is fetched from its beginning, once a reason; then its `failure`
    ├── range_response.Renew        the source is asked for another URL; its `failure` where that one is
    │                               refused too and there is no other way
    ├── http1.Broken                an exchange ended early: Transient (`client.trouble`)
    │   ├── http1.Unanswered        on a kept connection: asked again at once on a new one
    │   ├── http1.Silent            Transient, and the origin gets longer for its next first byte
    │   └── http1.TooLong           a page of a listing beyond all bounds: Failure
    ├── connector.ProxyTrouble      Transient
    ├── connector.UnknownProxy      Failure
    ├── address_policy.Forbidden    Failure
    ├── self_blocking.SelfBlocked   an error of our own: Failure with InternalError
    └── OSError                     of the volume: a Failure by its errno (`volume_errors`); of a socket:
        │                           Transient
        └── open_files.Unusable     another's file under a name of ours: a Failure, or, in place of a record
                                    of ours, read as if nothing were there

Four never leave the module or process that raises them: `range_fetcher._Stale`, `relay.Malformed`,
`leftovers.InUse` (reported by `modelsync clean`) and `child_main.Later` (in the library's process). Any other
exception is an error of our own, `unexpected.internal`: InternalError, its details in the log.
"""

from collections.abc import Iterator

from modelsync.api import exitcodes
from modelsync.api.common import untrusted
from modelsync.api.reasons import Reason


class Failure(Exception):
    """An attempt cannot go on."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        self.message = untrusted.clean(message)
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
