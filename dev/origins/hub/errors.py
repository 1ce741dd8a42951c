"""The Hub's errors, as its clients distinguish them: by `X-Error-Code`, else by `X-Error-Message`.

Statuses and texts follow what huggingface_hub's `hf_raise_for_status` reads and what the live Hub
answers: to a caller without a token, a private repository and a missing one are the same 401.
"""

import json

from dev.origins.faults.heads import EXPIRED
from dev.origins.serving.messages import Answer

BAD_TOKEN = "Invalid credentials in Authorization header"
NOT_SIGNED_IN = "Invalid username or password."


class HubError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code

    def answer(self) -> Answer:
        """The answer with the Hub's headers and JSON body."""
        headers = {"X-Error-Message": self.message.replace("\n", " ")}
        if self.code:
            headers["X-Error-Code"] = self.code
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="Authentication required"'
        answer = Answer.of(json.dumps({"error": self.message}).encode(), status=self.status)
        answer.headers |= headers
        return answer


class Moved(HubError):
    """The repository has another name."""

    def __init__(self, location: str) -> None:
        super().__init__(307, "Temporary Redirect")
        self.location = location

    def answer(self) -> Answer:
        """A redirect to the same of the other name."""
        return Answer.of(b"", status=307, kind="text/plain", Location=self.location)


class Expired(HubError):
    """A signed URL whose time is over."""

    def __init__(self) -> None:
        super().__init__(403, "Request has expired")

    def answer(self) -> Answer:
        """What S3 and CloudFront answer."""
        return Answer.of(EXPIRED, status=403, kind="application/xml")


def repository_not_found(signed_in: bool) -> HubError:
    """No such repository, or none that this caller may know of."""
    if signed_in:
        return HubError(404, "Repository not found", "RepoNotFound")
    return HubError(401, NOT_SIGNED_IN, "RepoNotFound")


def gated(repository: str, signed_in: bool) -> HubError:
    """The repository exists, and its files are for those who were granted access."""
    message = f"Access to model {repository} is restricted."
    fix = "You are not in its list of authorised users." if signed_in else "Sign in to ask for access."
    return HubError(403 if signed_in else 401, f"{message} {fix}", "GatedRepo")


def bad_token() -> HubError:
    """The token is none of ours: wrong, expired or revoked."""
    return HubError(401, BAD_TOKEN)


def revision_not_found(revision: str) -> HubError:
    """The repository has no such branch, tag or commit."""
    return HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_not_found(path: str) -> HubError:
    """The revision has no such file or folder."""
    return HubError(404, f"{path} does not exist", "EntryNotFound")
