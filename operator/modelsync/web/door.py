"""What the routes share, and how they get at it: the caller, the caller's feed, and one ModelSync for a
write."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import JSONResponse

from modelsync.reading import values
from modelsync.web.callers import Callers
from modelsync.web.config import WebConfig
from modelsync.web.documents import NAME, NAMESPACE
from modelsync.web.feeds import Feed
from modelsync.web.operator_history import OperatorHistory
from modelsync.web.problems import Problem, ProblemReason
from modelsync.web.streams import Feeds
from modelsync.web.upstream import Caller, Object, Upstream, sync_path

_MOST_NAMESPACES = 50
_SERVICE_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):")
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,20})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Everything that a request needs."""

    config: WebConfig
    upstream: Upstream
    callers: Callers
    feeds: Feeds
    now: Callable[[], datetime]
    operator_history: OperatorHistory | None
    """None where the operator cannot be reached or keeps none."""

    async def namespaces(self, caller: Caller, asked: tuple[str, ...]) -> tuple[str | None, ...]:
        """Where to look: what was asked for, else everywhere, else wherever the caller may look.

        Raises Problem when the answer is unknown.
        """
        if asked:
            return tuple(dict.fromkeys(asked))
        try:
            await self.upstream.get(caller, sync_path(None), {"limit": "1"})
            return (None,)
        except Problem as problem:
            if problem.status != 403:
                raise
            found = self.config.namespaces or await self._guessed(caller)
            if not found:
                raise Problem(
                    403,
                    ProblemReason.ACCESS_DENIED,
                    f"{problem.detail}; name the namespaces that you may list (?namespace=NAME)",
                ) from None
            return found

    async def _guessed(self, caller: Caller) -> tuple[str, ...]:
        """All namespaces for a caller who may list them, else the one of the caller's ServiceAccount."""
        try:
            page = await self.upstream.get(caller, "/api/v1/namespaces", {"limit": str(_MOST_NAMESPACES)})
        except Problem as problem:
            if problem.status != 403:
                raise
            found = _SERVICE_ACCOUNT.match(await self.callers.who(caller) or "")
            return (found[1],) if found else ()
        names = [(each.get("metadata") or {}).get("name") for each in page.get("items") or []]
        return tuple(name for name in names if isinstance(name, str))

    @asynccontextmanager
    async def feed(self, caller: Caller, asked: tuple[str, ...]) -> AsyncIterator[Feed]:
        """The caller's feed."""
        async with self.feeds.using(caller, await self.namespaces(caller, asked)) as feed:
            yield feed

    async def picture(self, caller: Caller, asked: tuple[str, ...]) -> tuple[values.Picture, Feed]:
        """The caller's picture now."""
        async with self.feed(caller, asked) as feed:
            return await feed.ready(), feed

    def must_write(self) -> None:
        """Raise Problem on a server that is read-only."""
        if self.config.read_only:
            raise Problem(
                403, ProblemReason.READ_ONLY, "acts are switched off here (web.readOnly); use kubectl"
            )

    async def write(
        self, caller: Caller, namespace: str, name: str, change: Object, before: Object, if_match: str | None
    ) -> Object:
        """Patch the very object that was read; raises Problem, with what changed where it is another
        version."""
        meta = {**change.get("metadata", {}), "uid": (before.get("metadata") or {}).get("uid")}
        if if_match is not None:
            meta["resourceVersion"] = if_match
        try:
            return await self.upstream.patch(caller, sync_path(namespace, name), {**change, "metadata": meta})
        except Problem as problem:
            if problem.status == 409 and if_match is not None:
                raise await self.conflict(caller, namespace, name, if_match, problem) from None
            raise

    async def conflict(
        self, caller: Caller, namespace: str, name: str, version: str, problem: Problem
    ) -> Problem:
        """The problem of a version that is not the newest, with the fields that changed since."""
        now = await self.upstream.get(caller, sync_path(namespace, name))
        query = {
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": version,
            "resourceVersionMatch": "Exact",
            "limit": "1",
        }
        changed: tuple[str, ...] = ()
        try:
            page = await self.upstream.get(caller, sync_path(namespace), query)
            items = page.get("items") or []
            changed = tuple(differences(items[0], now))[:100] if items else ("metadata.uid",)
        except Problem:  # the cluster does not know that version any more
            pass
        detail = problem.detail if not changed else f"changed since that version: {', '.join(changed)}"
        return Problem(409, ProblemReason.CONFLICT, detail, changed=changed)


def differences(old: object, new: object, path: str = "") -> list[str]:
    """Paths of the values that differ, down to lists; without what every write changes."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [] if old == new else [path]
    found = []
    for key in sorted({*old, *new}):
        below = f"{path}.{key}" if path else str(key)
        if below not in ("metadata.managedFields", "metadata.resourceVersion", "metadata.generation"):
            found += differences(old.get(key), new.get(key), below)
    return found


def door_of(request: Request) -> Door:
    """What the application was made with."""
    found = request.app.state.door
    assert isinstance(found, Door)
    return found


TheDoor = Annotated[Door, Depends(door_of)]


def caller_of(request: Request, door: TheDoor) -> Caller:
    """Who asks; raises Problem."""
    return door.callers.identify(request)


TheCaller = Annotated[Caller, Depends(caller_of)]
Namespace = Annotated[str, Path(pattern=NAMESPACE, max_length=63, description="The ModelSync's namespace.")]
Name = Annotated[str, Path(pattern=NAME, max_length=253, description="The ModelSync's name.")]


def namespaces_of(
    namespace: Annotated[
        list[str] | None,
        Query(
            max_length=_MOST_NAMESPACES,
            description="Only this namespace; may be repeated. All that the caller may list when absent.",
        ),
    ] = None,
) -> tuple[str, ...]:
    """The namespaces that a request names, checked."""
    for each in namespace or ():
        if len(each) > 63 or not re.fullmatch(NAMESPACE, each):
            raise Problem(400, ProblemReason.BAD_REQUEST, "namespace: must be the name of a namespace")
    return tuple(namespace or ())


Asked = Annotated[tuple[str, ...], Depends(namespaces_of)]


def if_match_of(request: Request) -> str | None:
    """The resourceVersion of If-Match; None for none, and for `*`."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    found = _ETAG.fullmatch(given.strip())
    if found is None:
        raise Problem(
            400, ProblemReason.BAD_REQUEST, 'If-Match: must be the ETag of one answer, such as "12345", or *'
        )
    return found[1]


IfMatch = Annotated[str | None, Depends(if_match_of)]


def tagged(thing: Object, body: Object, status: int = 200) -> JSONResponse:
    """An answer with the ETag of an object."""
    headers = {"Cache-Control": "no-store"}
    version = (thing.get("metadata") or {}).get("resourceVersion")
    if isinstance(version, str):
        headers["ETag"] = f'"{version}"'
    return JSONResponse(body, status, headers)


def shown(sync: Object) -> Object:
    """A ModelSync without what only the API server's own clients read."""
    meta = {key: value for key, value in (sync.get("metadata") or {}).items() if key != "managedFields"}
    return {**sync, "metadata": meta}
