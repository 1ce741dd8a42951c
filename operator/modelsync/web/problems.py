"""Errors of the REST API as problem details (RFC 9457), with a closed vocabulary of reasons.

`type` is a URN made of the reason, `detail` one sentence with the fix, `errors` the fields that the API
server named. Nothing of the request but its path is sent back.
"""

from enum import StrEnum
from typing import Any

from pydantic import Field
from starlette.responses import JSONResponse

from modelsync.api.common import untrusted
from modelsync.api.common.base import Value

MEDIA_TYPE = "application/problem+json"
_MOST_DETAIL = 1024


class ProblemReason(StrEnum):
    """Why a request was refused; those that ModelSyncs know too have the same words."""

    AUTHENTICATION_FAILED = "AuthenticationFailed"
    ACCESS_DENIED = "AccessDenied"
    NOT_FOUND = "NotFound"
    RATE_LIMITED = "RateLimited"
    INVALID_SPEC = "InvalidSpec"
    INTERNAL_ERROR = "InternalError"
    ALREADY_EXISTS = "AlreadyExists"
    CONFLICT = "Conflict"
    EXPIRED = "Expired"
    READ_ONLY = "ReadOnly"
    HOST_FORBIDDEN = "HostForbidden"
    CROSS_SITE = "CrossSite"
    BODY_TOO_LARGE = "BodyTooLarge"
    REQUEST_TIMEOUT = "RequestTimeout"
    BAD_REQUEST = "BadRequest"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    TOO_MANY_STREAMS = "TooManyStreams"
    API_SERVER_UNAVAILABLE = "APIServerUnavailable"


TITLES = {
    ProblemReason.AUTHENTICATION_FAILED: "Log in with a token of the cluster",
    ProblemReason.ACCESS_DENIED: "The caller has no right to do this",
    ProblemReason.NOT_FOUND: "There is no such object or path",
    ProblemReason.RATE_LIMITED: "Too many requests; wait for Retry-After seconds",
    ProblemReason.INVALID_SPEC: "The API server refuses the object",
    ProblemReason.INTERNAL_ERROR: "An error of the server",
    ProblemReason.ALREADY_EXISTS: "There is an object of this name",
    ProblemReason.CONFLICT: "The object has changed; read it again",
    ProblemReason.EXPIRED: "The list has changed too much; begin it again",
    ProblemReason.READ_ONLY: "This server is read-only",
    ProblemReason.HOST_FORBIDDEN: "The server does not answer to this Host",
    ProblemReason.CROSS_SITE: "A write must come from this server's own page, or from a program",
    ProblemReason.BODY_TOO_LARGE: "The body is too large",
    ProblemReason.REQUEST_TIMEOUT: "The body came too slowly",
    ProblemReason.BAD_REQUEST: "The request is wrong",
    ProblemReason.METHOD_NOT_ALLOWED: "The path has no such method",
    ProblemReason.TOO_MANY_STREAMS: "Too many streams are open; close one",
    ProblemReason.API_SERVER_UNAVAILABLE: "The API server does not answer",
}


class FieldError(Value):
    """What is wrong with one field."""

    field: str
    """Path of the field, such as `spec.source`."""
    message: str
    """What is wrong, and the fix."""


class ProblemDetails(Value):
    """Problem details (RFC 9457)."""

    type: str
    """`urn:modelsync:problem:` and the reason."""
    title: str
    """The reason in words; the same for every problem of this type."""
    status: int
    """The HTTP status."""
    reason: ProblemReason
    """One word of a closed vocabulary."""
    detail: str = ""
    """What happened, and the fix."""
    errors: tuple[FieldError, ...] = ()
    """Fields that the API server, or the server's own check of the body, named."""
    changed: tuple[str, ...] = Field(default=())
    """With reason Conflict: fields that changed since the version of If-Match, where the cluster still
    knows that one."""


class Problem(Exception):
    """Ends a request with problem details."""

    def __init__(
        self,
        status: int,
        reason: ProblemReason,
        detail: str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        changed: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {detail}")
        self.status = status
        self.reason = reason
        self.detail = untrusted.clean(detail, _MOST_DETAIL)
        self.errors = errors
        self.changed = changed
        self.retry_after = retry_after

    def details(self) -> ProblemDetails:
        """The body."""
        return ProblemDetails(
            type=f"urn:modelsync:problem:{self.reason}",
            title=TITLES[self.reason],
            status=self.status,
            reason=self.reason,
            detail=self.detail,
            errors=self.errors,
            changed=self.changed,
        )

    def response(self) -> JSONResponse:
        """The answer."""
        headers = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.details().dump(), self.status, headers, media_type=MEDIA_TYPE)


_OF_STATUS = {
    401: ProblemReason.AUTHENTICATION_FAILED,
    403: ProblemReason.ACCESS_DENIED,
    404: ProblemReason.NOT_FOUND,
    405: ProblemReason.METHOD_NOT_ALLOWED,
    409: ProblemReason.CONFLICT,
    410: ProblemReason.EXPIRED,
    413: ProblemReason.BODY_TOO_LARGE,
    422: ProblemReason.INVALID_SPEC,
    429: ProblemReason.RATE_LIMITED,
}


def of_status(status: int) -> ProblemReason:
    """The reason for a status of the API server or of the framework."""
    if status >= 500:
        return ProblemReason.API_SERVER_UNAVAILABLE
    return _OF_STATUS.get(status, ProblemReason.BAD_REQUEST)


def of_kubernetes(status: int, answer: dict[str, Any], retry_after: float | None) -> Problem:
    """The problem that a `v1.Status` of the API server describes."""
    reason = of_status(status)
    if status == 409 and answer.get("reason") == "AlreadyExists":
        reason = ProblemReason.ALREADY_EXISTS
    if status == 400 and "strict decoding error" in str(answer.get("message", "")):
        status, reason = 422, ProblemReason.INVALID_SPEC
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    errors = tuple(
        FieldError(
            field=untrusted.clean(str(cause.get("field") or ""), 500),
            message=untrusted.clean(str(cause.get("message") or ""), 1024),
        )
        for cause in (causes if isinstance(causes, list) else [])[:50]
        if isinstance(cause, dict)
    )
    shown = status if status < 500 else 502
    return Problem(shown, reason, str(answer.get("message") or ""), errors=errors, retry_after=retry_after)
