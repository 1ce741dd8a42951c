"""Logging in and out, and who the caller is."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

import modelsync
from modelsync.reading import acts
from modelsync.web import documents
from modelsync.web.callers import check_it_is_our_page
from modelsync.web.config import Mode
from modelsync.web.door import Door, TheCaller, TheDoor

router = APIRouter(tags=["Session"])
login_page = APIRouter(include_in_schema=False)


def _session(door: Door, user: str | None) -> documents.Session:
    return documents.Session(
        mode=door.config.mode,
        user=user,
        read_only=door.config.read_only,
        version=modelsync.__version__,
        acts=acts.words(),
    )


def _remember(door: Door, answer: Response, sealed: str) -> Response:
    answer.set_cookie(
        door.callers.cookie,
        sealed,
        max_age=door.config.limits.session_seconds,
        path="/",
        secure=door.config.secure_cookie,
        httponly=True,
        samesite="strict",
    )
    return answer


@router.get("/session", responses={200: {"model": documents.Session}})
async def get_session(door: TheDoor, caller: TheCaller) -> Response:
    """Who the caller is, by the API server's own word."""
    body = _session(door, await door.callers.who(caller)).dump()
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.post("/session", responses={200: {"model": documents.Session}})
async def log_in(request: Request, door: TheDoor, body: documents.Login) -> Response:
    """Put a token into a cookie, encrypted; the server does not store it."""
    check_it_is_our_page(request)
    sealed, user = await door.callers.log_in(request, body.token.strip())
    answer = JSONResponse(_session(door, user).dump(), headers={"Cache-Control": "no-store"})
    return _remember(door, answer, sealed)


@router.delete("/session", status_code=204)
async def log_out(request: Request, door: TheDoor) -> Response:
    """Forget the cookie."""
    check_it_is_our_page(request)
    answer = Response(status_code=204)
    answer.delete_cookie(
        door.callers.cookie, path="/", secure=door.config.secure_cookie, httponly=True, samesite="strict"
    )
    return answer


@login_page.get("/login")
async def log_in_by_url(
    request: Request, door: TheDoor, token: Annotated[str, Query(max_length=128)] = ""
) -> Response:
    """The URL that `modelsync dashboard` prints: takes the session token out of the address at once."""
    if door.config.mode is not Mode.LAPTOP:
        return RedirectResponse("/", 303)
    sealed, _ = await door.callers.log_in(request, token)
    return _remember(door, RedirectResponse("/", 303, {"Cache-Control": "no-store"}), sealed)
