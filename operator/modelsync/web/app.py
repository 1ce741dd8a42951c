"""The application: routes, errors as problem details, the page's files, and the guard around all of it."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

import modelsync
from modelsync.api.modelsync import ModelSyncSpec
from modelsync.web import documents, problems
from modelsync.web.callers import Callers
from modelsync.web.config import WebConfig
from modelsync.web.door import Door
from modelsync.web.guard import Application, Guard
from modelsync.web.operator_history import OperatorHistory
from modelsync.web.problems import FieldError, Problem, ProblemDetails, ProblemReason
from modelsync.web.routes import acting, logs, session, syncs, views
from modelsync.web.sessions import Buckets, Logins, Seal
from modelsync.web.streams import Feeds
from modelsync.web.upstream import Upstream

_LOG = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"
PREFIX = "/api/v1"
_DESCRIPTION = """ModelSyncs with the caller's own rights: every request is carried out with the caller's
token, and what it changes is the custom resource and nothing else.

A write needs the header `X-Requested-With: modelsync`. Errors are problem details (RFC 9457) with a `reason`
of a closed vocabulary. `ETag` is the resourceVersion; with `If-Match` a write is carried out on that version
only, and a 409 names the fields that changed since."""


def application(
    config: WebConfig,
    upstream: Upstream,
    *,
    own: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
    operator_history: OperatorHistory | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Application:
    """The whole server as an ASGI application; `own` is the kubeconfig's credential, on a laptop only."""
    limits = config.limits
    callers = Callers(
        config=config,
        upstream=upstream,
        seal=Seal(seconds=limits.session_seconds, clock=time, key=config.session_key),
        logins=Logins(limits.failed_logins_per_minute, clock=monotonic),
        requests=Buckets(limits.requests_per_second, limits.requests_per_second * 4, clock=monotonic),
        own=own,
    )
    feeds = Feeds(upstream=upstream, operator_namespace=config.operator_namespace, limits=limits, now=now)
    door = Door(
        config=config,
        upstream=upstream,
        callers=callers,
        feeds=feeds,
        now=now,
        operator_history=operator_history,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await feeds.close()
        await upstream.close()
        if operator_history is not None:
            await operator_history.close()

    app = _api(lifespan)
    app.state.door = door
    # Only files that are the same for everyone: a compressed answer's length says something of what is in it.
    app.mount("/", GZipMiddleware(StaticFiles(directory=STATIC, html=True)))
    return Guard(app, hosts=config.hosts, limits=limits)


def _api(lifespan: Any = None) -> FastAPI:
    app = FastAPI(
        title="modelsync",
        version=modelsync.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        lifespan=lifespan,
        redirect_slashes=False,
        responses={"default": {"model": ProblemDetails, "description": "Problem details (RFC 9457)."}},
    )
    for router in (syncs.router, logs.router, acting.router, views.router, session.router):
        app.include_router(router, prefix=PREFIX)
    app.include_router(session.login_page)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unforeseen)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    app.add_api_route("/healthz", _healthy, include_in_schema=False)
    return app


async def _healthy() -> Response:
    return Response("ok\n", media_type="text/plain")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    request.app.state.door.callers.saw(request, error.status)
    return error.response()


async def _invalid(_: Request, error: Exception) -> Response:
    """What pydantic found; the wrong value itself is not sent back, since it may be a token."""
    assert isinstance(error, RequestValidationError)
    found = tuple(
        FieldError(field=_place(each), message=_message(each)[:300]) for each in error.errors()[:50]
    )
    detail = "; ".join(f"{each.field}: {each.message}" for each in found)
    return Problem(422, ProblemReason.BAD_REQUEST, detail, errors=found).response()


def _message(error: Any) -> str:
    """What is wrong with a value; of a pattern, in words."""
    pattern: str = (error.get("ctx") or {}).get("pattern", "")
    return documents.FORMS.get(pattern) or str(error["msg"])


def _place(error: Any) -> str:
    """Where a value is wrong; of a field that there is not, where it stands, since its name is the
    caller's."""
    place = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    return ".".join(map(str, place))[:200]


async def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = (
        problems.of_status(error.status_code) if error.status_code < 500 else ProblemReason.INTERNAL_ERROR
    )
    return Problem(error.status_code, reason, str(error.detail)).response()


async def _unforeseen(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    return Problem(500, ProblemReason.INTERNAL_ERROR, "see the server's log").response()


def document(app: FastAPI | None = None) -> dict[str, Any]:
    """The OpenAPI document."""
    made = app if app is not None else _api()
    if made.openapi_schema is None:
        from fastapi.openapi.utils import get_openapi

        found = get_openapi(title=made.title, version="v1", description=made.description, routes=made.routes)
        spec = ModelSyncSpec.model_json_schema(ref_template="#/components/schemas/{model}")
        spec.pop("$defs", None)
        found["components"]["schemas"].setdefault("ModelSyncSpec", spec)
        reference = {"$ref": "#/components/schemas/ModelSyncSpec"}
        found["components"]["schemas"]["NewSync"]["properties"]["spec"] = reference
        made.openapi_schema = found
    return made.openapi_schema
