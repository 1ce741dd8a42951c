"""What the Hub's errors mean for a user: which field or Secret is wrong, and what fixes it.

The Hub answers 401 for a repository that does not exist, for a private one, and for a wrong token; the
library distinguishes them by headers, and this module explains them to people. No message carries the
library's own text, which holds full URLs.
"""

import socket
import sys
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure, causes
from modelsync.worker.common.model import Refused
from modelsync.worker.common.retry import Budget, Transient
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.sources.credentials import Credentials

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_Answer = TypeVar("_Answer")
TRIES = 3
_RIGHT = "name the right one in spec.source.huggingFace.repository of another ModelSync"
_FIXED = " of another ModelSync, since that field cannot be changed"
_DISABLED = "Disabled"
"""Our name for what the Hub says by a message alone."""
_DISABLED_MESSAGE = "Access to this resource is disabled."


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRequests:
    """Requests about one repository: turns whatever the library raises into a Failure."""

    endpoint: str
    repository: str
    kind: str
    """model or dataset."""
    revision: str
    page: str
    """The repository's page, where a person accepts its terms."""
    credentials: Credentials
    patience: Patience
    commit: str | None = None
    """What the revision names, once that is known: then the repository and the revision are there."""

    def __call__(self, ask: Callable[[], _Answer]) -> _Answer:
        """The answer, tried again while the trouble may pass; raises Failure or Interrupted."""
        budget = Budget(most=TRIES - 1)
        while True:
            try:
                return self._once(ask)
            except Transient as trouble:
                self.patience.again(trouble, budget)

    def _once(self, ask: Callable[[], _Answer]) -> _Answer:
        from huggingface_hub import errors

        # The base class of all errors of httpx, of whichever generation the library uses.
        transport_error: type[Exception] = errors.HfHubHTTPError.__bases__[0]
        invalid_url: type[Exception] = sys.modules[transport_error.__module__.partition(".")[0]].InvalidURL
        try:
            return ask()
        except Failure:
            raise
        except Transient as error:
            raise self._unreachable(error) from None
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status == 429 or status >= 500:
                raise Transient(self._by_status(status)) from None
            raise self._refused(error) from None
        except errors.HFValidationError:
            text = f"{self.repository} is not a repository id. Correct spec.source.huggingFace.repository."
            raise Failure(Reason.INVALID_SPEC, text) from None
        except errors.OfflineModeIsEnabled:
            text = "huggingface_hub is switched off in the worker's environment. Remove HF_HUB_OFFLINE."
            raise Failure(Reason.INVALID_SPEC, text) from None
        except (transport_error, OSError) as error:
            raise self._unreachable(error) from None
        except (invalid_url, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            text = f"{self.endpoint} does not answer as the Hub does. Check spec.source.huggingFace.endpoint."
            raise Failure(Reason.ORIGIN_ERROR, text) from None

    def explain(self, status: int, headers: Mapping[str, str], body: bytes) -> Refused | None:
        """What an error answer about a file says by the Hub's own code; None where it says no more than its
        status."""
        disabled = headers.get("X-Error-Message", "") == _DISABLED_MESSAGE
        failure = self._by_code(_DISABLED if disabled else headers.get("X-Error-Code", ""))
        if failure is None and status == 401:
            failure = self._by_status(status)
        return Refused(failure=failure) if failure is not None else None

    def _refused(self, error: "HfHubHTTPError") -> Failure:
        """What an error status of the Hub means: by its code, as the library read it, else by itself."""
        from huggingface_hub import errors

        codes: dict[type[Exception], str] = {
            errors.GatedRepoError: "GatedRepo",
            errors.DisabledRepoError: _DISABLED,
            errors.RevisionNotFoundError: "RevisionNotFound",
            errors.RepositoryNotFoundError: "RepoNotFound",
        }
        code = next((code for kind, code in codes.items() if isinstance(error, kind)), "")
        status = error.response.status_code
        if self.commit is not None and status == 404:
            return self._unlisted(self.commit, gone=code == "RevisionNotFound")
        return self._by_code(code) or self._by_status(error.response.status_code)

    def _unlisted(self, commit: str, *, gone: bool) -> Failure:
        """What it means that the files of a commit cannot be listed, which the Hub itself has just named."""
        where, short = f"{self.endpoint} has the {self.kind} {self.repository}", commit[:12]
        if gone:
            text = (
                f"{where}, but not the commit {short} that it names for {self.revision}: it is out of date."
            )
            fix = (
                "Try again when it is not, or name a commit that it has in spec.source.huggingFace.revision."
            )
            return Failure(Reason.REVISION_NOT_FOUND, f"{text} {fix}")
        text = f"{where}, but does not list the files of its commit {short} (HTTP 404)."
        fix = "Name a mirror in spec.source.huggingFace.endpoint that offers the Hub's tree API."
        return Failure(Reason.ORIGIN_ERROR, f"{text} {fix}")

    def _by_code(self, code: str) -> Failure | None:
        """What the Hub's own code (X-Error-Code) means; None for one that is not known."""
        name, given, token = self.repository, self.credentials.given, self.credentials.where
        if code == "GatedRepo":
            account = f"with the account of the token in {token}" if given else f"and name a token in {token}"
            text = f"The repository {name} is gated: accept its terms at {self.page} {account}."
            return Failure(Reason.ACCESS_DENIED, text)
        if code == _DISABLED:
            text = f"The Hub has disabled the repository {name}, as its page {self.page} says."
            return Failure(Reason.ACCESS_DENIED, f"{text} Use another repository.")
        if code == "RevisionNotFound":
            text = f"The repository {name} has no revision {self.revision}."
            fix = f"Name one that is there in spec.source.huggingFace.revision{_FIXED}."
            return Failure(Reason.REVISION_NOT_FOUND, f"{text} {fix}")
        if code == "RepoNotFound":
            where = f"There is no {self.kind} {name} at {self.endpoint}"
            fix = (
                "that the token may see"
                if given
                else f"that can be seen without a token; name one in {token}"
            )
            return Failure(Reason.NOT_FOUND, f"{where} {fix}. Or {_RIGHT}.")
        return None

    def _by_status(self, status: int) -> Failure:
        name, token, answered = self.repository, self.credentials.where, f"(HTTP {status})"
        if status == 401:
            text = f"The Hub refuses the token {answered}. Put a valid one into {token}."
            return Failure(Reason.AUTHENTICATION_FAILED, text)
        if status == 403:
            fix = f"Give the account of the token in {token} the right."
            return Failure(Reason.ACCESS_DENIED, f"The Hub denies access to {name} {answered}. {fix}")
        if status in (404, 410):
            text = f"{self.endpoint} has no {self.kind} {name} {answered}. Check spec.source.huggingFace."
            return Failure(Reason.NOT_FOUND, text)
        if status == 429:
            fix = "Try with fewer syncs at once" if self.credentials.given else f"Name a token in {token}"
            return Failure(Reason.RATE_LIMITED, f"The Hub limits the rate of requests {answered}. {fix}.")
        return Failure(Reason.ORIGIN_ERROR, f"The Hub at {self.endpoint} answers with HTTP {status}.")

    def _unreachable(self, error: BaseException) -> Transient:
        host = urllib.parse.urlsplit(self.endpoint).hostname
        if any(isinstance(one, socket.gaierror) for one in causes(error)):
            text = f"The host name {host} cannot be resolved."
            fix = "Check spec.source.huggingFace.endpoint and the cluster's DNS."
        else:
            text = f"The Hub at {self.endpoint} does not answer."
            fix = "Check that it can be reached from the worker's namespace."
        return Transient(Failure(Reason.NETWORK_ERROR, f"{text} {fix}"))
