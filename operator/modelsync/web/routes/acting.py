"""Acts on one ModelSync and on several; each is a change of the object and nothing else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
_FORBIDDEN, _GONE = 403, 410
_MOST_PAGES = 100
"""50,000 ModelSyncs: ten times of what is measured."""
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

    async def retry(sync: Object) -> Outcome:
        change = acts.change(Act.RETRY, sync, door.now())
        if change is None:
            return Outcome.UNCHANGED
        await door.write(caller, *_named(sync), change, sync, None)
        return Outcome.CHANGED

    def chosen(sync: Object) -> bool:
        return (sync.get("status") or {}).get("phase") == Phase.FAILED and not _is_cancelled(sync)

    namespaces = await door.namespaces(caller, (body.namespace,) if body.namespace else ())
    pages = _Pages(door, caller, namespaces, {"fieldSelector": f"status.phase={Phase.FAILED}"})
    return await _on_all(pages, chosen, retry)


@router.post("/admin/clear", responses={200: {"model": documents.Results}})
async def clear(door: TheDoor, caller: TheCaller, body: documents.Clear) -> Response:
    """Remove finished entries, and take stuck ones out of their queue. Files on volumes stay.

    A finished ModelSync is deleted, if nothing newer was asked of it; one that is named and not finished is
    cancelled, which keeps it and what it has fetched.
    """
    door.must_write()
    named = set(body.names)

    def chosen(sync: Object) -> bool:
        return _is_chosen(sync, named, body, door.now())

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

    return await _on_all(_Pages(door, caller, (body.namespace,), {}), chosen, remove)


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


class _Pages:
    """The ModelSyncs of some namespaces, None for all, page by page; those that the caller may not list are
    left out, unless these are all of them."""

    def __init__(
        self, door: Door, caller: Caller, namespaces: Sequence[str | None], query: dict[str, str]
    ) -> None:
        self._door, self._caller, self._namespaces = door, caller, namespaces
        self._query = query | {"limit": str(_PAGE)}
        self.truncated = False
        """Whether some were not read: there were too many, or it took so long that the list expired."""

    async def __aiter__(self) -> AsyncIterator[list[Object]]:
        refusal, listed = None, False
        for namespace in self._namespaces:
            try:
                async for page in self._of(namespace):
                    listed = True
                    yield page
            except Problem as problem:
                if problem.status != _FORBIDDEN:
                    raise
                refusal = problem
        if refusal is not None and not listed:
            raise refusal

    async def _of(self, namespace: str | None) -> AsyncIterator[list[Object]]:
        more: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            try:
                page = await self._door.upstream.get(self._caller, sync_path(namespace), self._query | more)
            except Problem as problem:
                if not more or problem.status != _GONE:
                    raise
                self.truncated = True
                return
            yield _items(page)
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            more = {"continue": str(token)}
        self.truncated = True


async def _on_all(
    pages: _Pages, chosen: Callable[[Object], bool], act: Callable[[Object], Awaitable[Outcome]]
) -> Response:
    """Act on each that is chosen, some at a time; one that fails is reported and stops no other."""
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

    results: list[Result] = []
    async for page in pages:
        results += await asyncio.gather(*(one(each) for each in page if chosen(each)))
    body = documents.Results(results=tuple(results), truncated=pages.truncated)
    return JSONResponse(body.dump(), headers={"Cache-Control": "no-store"})


def _items(page: Object) -> list[Object]:
    return [each for each in page.get("items") or [] if isinstance(each, dict)]


def _is_cancelled(sync: Object) -> bool:
    return (sync.get("spec") or {}).get("cancel") is True


def _named(sync: Object) -> tuple[str, str]:
    meta = sync.get("metadata") or {}
    return str(meta.get("namespace")), str(meta.get("name"))
