"""What people read: queues, the whole, speeds of the past, rates, and all of it as a stream."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from modelsync.reading import completion, values
from modelsync.reading import picture as pictures
from modelsync.reading.history import Series
from modelsync.web import documents, history, streams
from modelsync.web.door import Asked, TheCaller, TheDoor
from modelsync.web.problems import Problem, ProblemReason

router = APIRouter(tags=["Views"])
_FRESH = {"Cache-Control": "no-store"}


class Span(StrEnum):
    """How far back."""

    FIVE_MINUTES = "5m"
    HOUR = "1h"
    DAY = "24h"


@router.get("/summary", responses={200: {"model": documents.Summary}})
async def summary(door: TheDoor, caller: TheCaller, asked: Asked) -> Response:
    """All that the caller may list, as one."""
    found, feed = await door.picture(caller, asked)
    body = {
        "whole": found.whole.dump(),
        "completion": completion.of(found.rows, history.peak(feed)).dump(),
        "connection": feed.connection(),
    }
    return JSONResponse(body, headers=_FRESH)


@router.get("/picture", responses={200: {"model": values.Picture}})
async def picture(door: TheDoor, caller: TheCaller, asked: Asked) -> Response:
    """Rows, groups, queues and the whole at one moment."""
    found, _ = await door.picture(caller, asked)
    return JSONResponse(found.dump(), headers=_FRESH)


@router.get("/queues", responses={200: {"model": documents.Queues}})
async def queues(door: TheDoor, caller: TheCaller, asked: Asked) -> Response:
    """The queues that the caller may list, or that the caller's ModelSyncs name."""
    found, feed = await door.picture(caller, asked)
    body = {"items": [each.dump() for each in found.queues], "connection": feed.connection()}
    return JSONResponse(body, headers=_FRESH)


@router.get("/network", responses={200: {"model": documents.Network}})
async def network(door: TheDoor, caller: TheCaller, asked: Asked) -> Response:
    """What the workers' network devices carry, down and up, by node and in total."""
    found, _ = await door.picture(caller, asked)
    body = documents.Network(
        nodes=pictures.nodes(found.rows), speed=found.whole.speed, network=found.whole.network
    )
    return JSONResponse(body.dump(), headers=_FRESH)


@router.get("/history", responses={200: {"model": Series}})
async def speeds(
    door: TheDoor,
    caller: TheCaller,
    asked: Asked,
    span: Span = Span.HOUR,
    sync: Annotated[str | None, Query(max_length=317, description="namespace/name of a ModelSync")] = None,
    queue: Annotated[
        str | None, Query(max_length=63, pattern=documents.NAME, description="Name of a queue")
    ] = None,
) -> Response:
    """Speeds of the past, of a ModelSync, of a queue, or in total, as far as this caller may list them.

    `keptBy` says who keeps them: the operator, whether anybody looks or not, or this server, while somebody
    with these rights looks and for five minutes after. `since` says where the record begins, and `cut` and
    `cutReason` where and why, if that is within the steps.
    """
    if sync is not None and queue is not None:
        raise Problem(400, ProblemReason.BAD_REQUEST, "name a sync or a queue, not both")
    found, feed = await door.picture(caller, asked)
    row = next((each for each in found.rows if f"{each.namespace}/{each.name}" == sync), None)
    if sync is not None and row is None:
        raise Problem(404, ProblemReason.NOT_FOUND, "no such ModelSync that this caller may list")
    series = await history.read(
        door.operator_history, feed, history.question(feed, span, queue=queue, sync=row)
    )
    return JSONResponse(series.dump(), headers=_FRESH)


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "snapshot, then changes"}},
)
async def events(
    request: Request,
    door: TheDoor,
    caller: TheCaller,
    asked: Asked,
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> Response:
    """All that the caller may list, live: a snapshot, then differences, at most one each second.

    `Last-Event-ID` of a lost stream goes on there, where the server still knows it. A comment comes each 15
    s.
    """
    stack = AsyncExitStack()
    try:
        await stack.enter_async_context(door.feeds.stream(caller))
        feed = await stack.enter_async_context(door.feed(caller, asked))
    except BaseException:
        await stack.aclose()
        raise

    async def body() -> AsyncIterator[bytes]:
        async with stack:
            async for each in streams.follow(feed, last_event_id, door.config.limits, door.now):
                yield each

    return StreamingResponse(body(), media_type=streams.MEDIA_TYPE, headers=streams.HEADERS)
