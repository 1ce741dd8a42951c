"""Acts on one ModelSync and on several; each is a change of the object and nothing else."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.responses import JSONResponse, Response

from modelsync.api.reasons import Phase
from modelsync.reading import acts as reading_acts
from modelsync.reading import rows
from modelsync.web import acts, documents
from modelsync.web.acts import Act
from modelsync.web.documents import Outcome, Result
from modelsync.web.door import Door, IfMatch, Name, Namespace, TheCaller, TheDoor, shown, tagged
from modelsync.web.problems import Problem, ProblemReason
from modelsync.web.upstream import Caller, Object, sync_path

router = APIRouter(tags=["Acts"])
_LOG = logging.getLogger(__name__)
_AT_ONCE = 8
_PAGE = 500
_ACTED: dict[int | str, dict[str, Any]] = {
    200: {"model": documents.Acted, "description": "The ModelSync as it is now, with its ETag."}
}
IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        pattern="^[!-~]+$",
        description="For start and retry: a request with a key that was used last does nothing.",
    ),
]


async def _act(
    door: Door,
    caller: Caller,
    namespace: str,
    name: str,
    if_match: str | None,
    change: Callable[[Object], Object | None],
) -> Response:
    door.must_write()
    before = await door.upstream.get(caller, sync_path(namespace, name))
    version = (before.get("metadata") or {}).get("resourceVersion")
    if if_match is not None and if_match != version:
        stale = Problem(409, ProblemReason.CONFLICT, "the object has another version than If-Match says")
        raise await door.conflict(caller, namespace, name, if_match, stale)
    try:
        wanted = change(before)
    except reading_acts.NotPossible as error:
        raise Problem(409, ProblemReason.CONFLICT, str(error)) from None
    after = before
    if wanted is not None:
        after = await door.write(caller, namespace, name, wanted, before, if_match)
    return tagged(after, {"changed": wanted is not None, "sync": shown(after)})


@router.put("/namespaces/{namespace}/modelsyncs/{name}/priority", responses=_ACTED)
async def set_priority(
    door: TheDoor,
    caller: TheCaller,
    namespace: Namespace,
    name: Name,
    body: documents.Priority,
    if_match: IfMatch,
) -> Response:
    """Set spec.priority."""

    def change(sync: Object) -> Object | None:
        return acts.with_value(reading_acts.Act.PRIORITY, sync, door.now(), str(body.priority))

    return await _act(door, caller, namespace, name, if_match, change)


@router.put("/namespaces/{namespace}/modelsyncs/{name}/limit", responses=_ACTED)
async def set_limit(
    door: TheDoor,
    caller: TheCaller,
    namespace: Namespace,
    name: Name,
    body: documents.Limit,
    if_match: IfMatch,
) -> Response:
    """Set spec.bandwidthLimit, also while it runs; null lifts it."""
    value = reading_acts.UNLIMITED if body.bandwidth_limit is None else body.bandwidth_limit

    def change(sync: Object) -> Object | None:
        return acts.with_value(reading_acts.Act.LIMIT, sync, door.now(), value)

    return await _act(door, caller, namespace, name, if_match, change)


@router.post("/namespaces/{namespace}/modelsyncs/{name}/{act}", responses=_ACTED)
async def act_on(
    door: TheDoor,
    caller: TheCaller,
    namespace: Namespace,
    name: Name,
    act: Act,
    if_match: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start, pause, resume, cancel or retry; done twice it is done once.

    `start` is for a registered model (one with spec.suspend), a paused, a cancelled or a Failed one.
    """

    def change(sync: Object) -> Object | None:
        return acts.change(act, sync, door.now(), idempotency_key)

    return await _act(door, caller, namespace, name, if_match, change)


@router.post("/retry-failed", responses={200: {"model": documents.Results}})
async def retry_failed(door: TheDoor, caller: TheCaller, body: documents.RetryFailed) -> Response:
    """Retry all Failed ones, of a namespace or of all that the caller may list; never the cancelled."""
    door.must_write()
    failed, more = await _failed(door, caller, body.namespace)

    async def retry(sync: Object) -> Outcome:
        change = acts.change(Act.RETRY, sync, door.now())
        if change is None:
            return Outcome.UNCHANGED
        await door.write(caller, *_named(sync), change, sync, None)
        return Outcome.CHANGED

    return await _on_each([each for each in failed if not _is_cancelled(each)], retry, more)


async def _failed(door: Door, caller: Caller, asked: str | None) -> tuple[list[Object], bool]:
    """The Failed ones, and whether there are more; raises Problem where the caller may list none."""
    query = {"fieldSelector": f"status.phase={Phase.FAILED}", "limit": str(_PAGE)}
    found: list[Object] = []
    more, refusal, listed = False, None, False
    for namespace in await door.namespaces(caller, (asked,) if asked else ()):
        try:
            page = await door.upstream.get(caller, sync_path(namespace), query)
        except Problem as problem:
            if problem.status != 403:
                raise
            refusal = problem
            continue
        listed = True
        found += [each for each in _items(page) if (each.get("status") or {}).get("phase") == Phase.FAILED]
        more = more or bool((page.get("metadata") or {}).get("continue"))
    if refusal is not None and not listed:
        raise refusal
    return found, more


@router.post("/admin/clear", responses={200: {"model": documents.Results}})
async def clear(door: TheDoor, caller: TheCaller, body: documents.Clear) -> Response:
    """Remove finished entries, and take stuck ones out of their queue. Files on volumes stay.

    A finished ModelSync is deleted, if nothing newer was asked of it; one that is named and not finished is
    cancelled, which keeps it and what it has fetched.
    """
    door.must_write()
    page = await door.upstream.get(caller, sync_path(body.namespace), {"limit": str(_PAGE)})
    named = set(body.names)
    chosen = [each for each in _items(page) if _is_chosen(each, named, body, door.now())]

    async def remove(sync: Object) -> Outcome:
        if not acts.is_finished(sync):
            return await _release(door, caller, sync, body.dry_run)
        if body.dry_run:
            return Outcome.WOULD_DELETE
        meta = sync.get("metadata") or {}
        limits = {"uid": meta.get("uid"), "resourceVersion": meta.get("resourceVersion")}
        await door.upstream.send(
            caller,
            "DELETE",
            sync_path(*_named(sync)),
            body={"propagationPolicy": "Background", "preconditions": limits},
        )
        return Outcome.DELETED

    more = bool((page.get("metadata") or {}).get("continue"))
    return await _on_each(chosen, remove, more)


async def _release(door: Door, caller: Caller, sync: Object, dry_run: bool) -> Outcome:
    change = acts.change(Act.CANCEL, sync, door.now())
    if change is None:
        return Outcome.UNCHANGED
    if dry_run:
        return Outcome.WOULD_CANCEL
    await door.write(caller, *_named(sync), change, sync, None)
    return Outcome.CANCELLED


def _is_chosen(sync: Object, named: set[str], asked: documents.Clear, now: datetime) -> bool:
    name = (sync.get("metadata") or {}).get("name")
    if named and name not in named:
        return False
    if not acts.is_finished(sync):
        return bool(named)
    row = rows.read(sync, now)
    since = row.completed or row.since or row.created
    old = since is None or now - since >= timedelta(seconds=asked.older_than_seconds)
    return row.phase in asked.phases and old


async def _on_each(
    syncs: Iterable[Object], act: Callable[[Object], Awaitable[Outcome]], truncated: bool
) -> Response:
    """Act on each, some at a time; one that fails is reported and stops no other."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(sync: Object) -> Result:
        namespace, name = _named(sync)
        async with turns:
            try:
                outcome, detail = await act(sync), ""
            except Problem as problem:
                outcome, detail = Outcome.FAILED, problem.detail
            except reading_acts.NotPossible as error:
                outcome, detail = Outcome.FAILED, str(error)
        return Result(namespace=namespace, name=name, outcome=outcome, detail=detail)

    results = await asyncio.gather(*(one(each) for each in syncs))
    body = documents.Results(results=tuple(results), truncated=truncated)
    return JSONResponse(body.dump(), headers={"Cache-Control": "no-store"})


def _items(page: Object) -> list[Object]:
    return [each for each in page.get("items") or [] if isinstance(each, dict)]


def _is_cancelled(sync: Object) -> bool:
    return (sync.get("spec") or {}).get("cancel") is True


def _named(sync: Object) -> tuple[str, str]:
    meta = sync.get("metadata") or {}
    return str(meta.get("namespace")), str(meta.get("name"))
