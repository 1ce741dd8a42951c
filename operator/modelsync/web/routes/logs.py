"""The last lines of a worker's log, read with the caller's own rights on Pods.

A log is whatever a process wrote, however much of it: lines and bytes are bounded where they are asked for
and again where they come, and each line is one printable line.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from modelsync.api import naming
from modelsync.api.common import untrusted
from modelsync.web import documents
from modelsync.web.door import Door, Name, Namespace, TheCaller, TheDoor
from modelsync.web.problems import Problem, ProblemReason
from modelsync.web.upstream import Caller, Object, pod_path, sync_path

router = APIRouter(tags=["ModelSyncs"])
MOST_LINES = 1000
MOST_BYTES = 256 * 1024
_MOST_LINE = 4096
_FEWER_LINES = (10, 1)
"""Of a log whose lines are so long that those before the newest fill the answer."""
_MOST_PODS = 100


@router.get("/namespaces/{namespace}/modelsyncs/{name}/logs", responses={200: {"model": documents.LogLines}})
async def get_log(
    door: TheDoor,
    caller: TheCaller,
    namespace: Namespace,
    name: Name,
    lines: Annotated[int, Query(ge=1, le=MOST_LINES, description="Most lines, counted from the end.")] = 100,
) -> Response:
    """The last lines of the log of a ModelSync's newest worker, the oldest first.

    Needs the rights to list Pods and to get `pods/log` in the namespace.
    """
    sync = await door.upstream.get(caller, sync_path(namespace, name))
    pod = await _worker(door, caller, namespace, sync)
    for most in (lines, *(each for each in _FEWER_LINES if each < lines)):
        text, cut = await _tail(door, caller, namespace, pod, most)
        if not cut:
            break
    found = [untrusted.clean(line, _MOST_LINE) for line in text.removesuffix("\n").split("\n")[-most:]]
    body = documents.LogLines(pod=pod, lines=tuple(found) if text else (), cut=cut or most < lines)
    return JSONResponse(body.dump(), headers={"Cache-Control": "no-store"})


async def _worker(door: Door, caller: Caller, namespace: str, sync: Object) -> str:
    """The Pod that the status names, else the newest one of the sync; raises Problem where none is left."""
    uid = (sync.get("metadata") or {}).get("uid")
    if not isinstance(uid, str) or not uid:
        raise Problem(502, ProblemReason.API_SERVER_UNAVAILABLE, "the object has no uid")
    query = {"labelSelector": f"{naming.UID_LABEL}={uid}", "limit": str(_MOST_PODS)}
    page = await door.upstream.get(caller, pod_path(namespace), query)
    metas = [each.get("metadata") or {} for each in page.get("items") or [] if isinstance(each, dict)]
    there = {str(meta.get("name")): str(meta.get("creationTimestamp")) for meta in metas}
    named = ((sync.get("status") or {}).get("worker") or {}).get("podName")
    if named in there:
        return str(named)
    if not there:
        raise Problem(
            404,
            ProblemReason.NOT_FOUND,
            "No worker of this ModelSync is there: none has started, or its Pod was removed with its log.",
        )
    return max(there, key=lambda name: (there[name], name))


async def _tail(door: Door, caller: Caller, namespace: str, pod: str, lines: int) -> tuple[str, bool]:
    query = {
        "container": naming.WORKER_CONTAINER,
        "tailLines": str(lines),
        "limitBytes": str(MOST_BYTES + 1),
    }
    try:
        return await door.upstream.text(caller, f"{pod_path(namespace, pod)}/log", query, MOST_BYTES)
    except Problem as problem:
        if problem.status != 400:
            raise
        # A container that has not started has no log; the API server says so in its words.
        raise Problem(404, ProblemReason.NOT_FOUND, problem.detail) from None
