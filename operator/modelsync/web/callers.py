"""From a request to its caller; nothing but this decides with whose rights a request is carried out.

On a laptop there is one caller: anyone with the session token of the URL. In the cluster a caller is the
bearer token of the request: its Authorization header, the header by which a trusted proxy forwards it, or the
cookie in which logging in has sealed it, in this order. The server has no credential of its own there, so a
request without one reaches nothing.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from modelsync.web import guard
from modelsync.web.config import Mode, WebConfig
from modelsync.web.problems import Problem, ProblemReason
from modelsync.web.sessions import Buckets, Logins, Seal, TooLong, is_token
from modelsync.web.upstream import Caller, Object, Upstream

REVIEW_PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
LAPTOP = "laptop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Finds out who asks, and logs callers in."""

    config: WebConfig
    upstream: Upstream
    seal: Seal
    logins: Logins
    requests: Buckets
    own: Callable[[], Awaitable[Mapping[str, str]]] | None
    """The kubeconfig's credential as headers; LAPTOP only."""

    @property
    def cookie(self) -> str:
        """Name of the cookie. The prefix keeps other hosts from setting it; a laptop's loopback has no
        TLS."""
        return "__Host-modelsync" if self.config.secure_cookie else "modelsync"

    def identify(self, request: Request) -> Caller:
        """The caller; raises Problem."""
        check_it_is_our_page(request)
        token = self._token(request)
        if token is None:
            raise Problem(401, ProblemReason.AUTHENTICATION_FAILED, self._how_to_log_in())
        return self._admitted(request, token)

    def _admitted(self, request: Request, token: str) -> Caller:
        key = self.seal.key_of(token)
        address = address_of(request)
        wait = self.logins.wait(address, key)
        if wait:
            raise Problem(
                429, ProblemReason.RATE_LIMITED, "too many failed logins from this address", retry_after=wait
            )
        if self.config.mode is Mode.LAPTOP:
            caller = self._laptop_caller(address, key, token)
        else:
            caller = Caller(key=key, headers=_bearer(token))
        wait = self.requests.take(caller.key)
        if wait:
            raise Problem(
                429, ProblemReason.RATE_LIMITED, "too many requests of this caller", retry_after=wait
            )
        request.state.caller = caller
        return caller

    def _laptop_caller(self, address: str, key: str, token: str) -> Caller:
        wanted = self.config.session_token or ""
        if self.own is None or not wanted or not hmac.compare_digest(token.encode(), wanted.encode()):
            self.logins.failed(address, key)
            raise Problem(401, ProblemReason.AUTHENTICATION_FAILED, self._how_to_log_in())
        return Caller(key=LAPTOP, headers=self.own)

    def _token(self, request: Request) -> str | None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return _checked(given)
        if self.config.token_header is not None:
            forwarded = request.headers.get(self.config.token_header, "").removeprefix("Bearer ")
            if forwarded:
                return _checked(forwarded)
        cookie = request.cookies.get(self.cookie)
        return None if cookie is None else self.seal.open(cookie)

    def _how_to_log_in(self) -> str:
        if self.config.mode is Mode.LAPTOP:
            return "open the URL that `modelsync dashboard` printed"
        return (
            "send a token of the cluster as Authorization: Bearer, or log in with one, such as that of"
            " `kubectl create token NAME`"
        )

    async def log_in(self, request: Request, token: str) -> tuple[str, str | None]:
        """The cookie's value, and the name of its user where the API server says it; raises Problem."""
        if not is_token(token):
            self.logins.failed(address_of(request), "")
            raise Problem(401, ProblemReason.AUTHENTICATION_FAILED, "this is no token: paste it whole")
        caller = self._admitted(request, token)
        # On a laptop the URL's token says who it is, so the page opens also while the API server is away.
        name = None if self.config.mode is Mode.LAPTOP else await self.who(caller)
        self.logins.succeeded(self.seal.key_of(token))
        try:
            return self.seal.close(token), name
        except TooLong:
            raise Problem(
                413,
                ProblemReason.BODY_TOO_LARGE,
                "the token is too long for a cookie: let a proxy forward it (--token-header), or use one of a"
                " ServiceAccount",
            ) from None

    async def who(self, caller: Caller) -> str | None:
        """The caller's name at the API server; None where it cannot say. Raises Problem for a wrong token."""
        try:
            found = await self.upstream.send(caller, "POST", REVIEW_PATH, body=dict(_REVIEW))
        except Problem as problem:
            if problem.status in (403, 404):  # who may not review itself is somebody all the same
                return None
            raise
        return _username(found)

    def saw(self, request: Request, status: int) -> None:
        """Learn from what the API server said to a caller's token."""
        caller: Caller | None = getattr(request.state, "caller", None)
        if caller is None or self.config.mode is Mode.LAPTOP:
            return
        if status == 401:
            self.logins.failed(address_of(request), caller.key)
        elif status < 500:
            self.logins.succeeded(caller.key)


def check_it_is_our_page(request: Request) -> None:
    """Raise Problem for a write that another site's page could have caused.

    Asked of every caller: whether a browser or a proxy adds a credential by itself cannot be seen from here.
    """
    if request.method in guard.SAFE or request.headers.get(guard.REQUEST_HEADER) == guard.REQUEST_VALUE:
        return
    raise Problem(
        403,
        ProblemReason.CROSS_SITE,
        f"a write needs the header {guard.REQUEST_HEADER}: {guard.REQUEST_VALUE}",
    )


def _checked(text: str) -> str | None:
    return text.strip() if is_token(text.strip()) else None


def address_of(request: Request) -> str:
    """The peer's address. What a proxy says of others is not believed: anybody may write it."""
    return request.client.host if request.client is not None else ""


def _bearer(token: str) -> Callable[[], Awaitable[Mapping[str, str]]]:
    async def headers() -> Mapping[str, str]:
        return {"Authorization": f"Bearer {token}"}

    return headers


def _username(review: Object) -> str | None:
    user = (review.get("status") or {}).get("userInfo") or {}
    name = user.get("username")
    return name if isinstance(name, str) else None
