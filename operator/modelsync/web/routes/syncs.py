"""ModelSyncs: list, get, create, delete, and their Events."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from modelsync.api import naming
from modelsync.api.modelsync import ModelSync
from modelsync.reading import events as reading_events
from modelsync.reading import rows, values
from modelsync.web import documents
from modelsync.web.door import IfMatch, Name, Namespace, TheCaller, TheDoor, shown, tagged
from modelsync.web.problems import Problem, ProblemReason
from modelsync.web.upstream import Object, sync_path

router = APIRouter(tags=["ModelSyncs"])
_SYNC: dict[int | str, dict[str, Any]] = {
    200: {"model": ModelSync, "description": "The ModelSync, with its ETag."}
}
_MOST_EVENTS = 500


@router.get("/modelsyncs", responses={200: {"model": documents.Page}})
async def list_syncs(
    door: TheDoor,
    caller: TheCaller,
    namespace: Annotated[str | None, Query(max_length=63, pattern=documents.NAMESPACE)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    continue_: Annotated[str, Query(alias="continue", max_length=4096)] = "",
    label_selector: Annotated[str, Query(alias="labelSelector", max_length=1024)] = "",
    phase: Annotated[str, Query(max_length=32, pattern="^[A-Za-z]*$")] = "",
) -> Response:
    """A page of ModelSyncs, of one namespace or of all."""
    query = {
        "limit": str(limit),
        "continue": continue_,
        "labelSelector": label_selector,
        "fieldSelector": f"status.phase={phase}" if phase else "",
    }
    given = {key: value for key, value in query.items() if value}
    page = await door.upstream.get(caller, sync_path(namespace), given)
    meta = page.get("metadata") or {}
    body: Object = {"items": [shown(each) for each in page.get("items") or []]}
    if meta.get("continue"):
        body |= {"continue": meta["continue"], "remaining": meta.get("remainingItemCount")}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.post("/namespaces/{namespace}/modelsyncs", status_code=201, responses={201: {"model": ModelSync}})
async def create_sync(
    door: TheDoor,
    caller: TheCaller,
    namespace: Namespace,
    new: documents.NewSync,
    dry_run: Annotated[bool, Query(alias="dryRun")] = False,
) -> Response:
    """Create a ModelSync; with dryRun the API server checks it and stores nothing."""
    door.must_write()
    meta = new.metadata.model_dump(exclude_none=True)
    body = {
        "apiVersion": naming.API_VERSION,
        "kind": naming.SYNC_KIND,
        "metadata": {**meta, "namespace": namespace},
        "spec": new.spec,
    }
    query = {"fieldManager": "modelsync-web", "fieldValidation": "Strict"}
    if dry_run:
        query["dryRun"] = "All"
    made = await door.upstream.send(caller, "POST", sync_path(namespace), query=query, body=body)
    return tagged(made, shown(made), 201)


@router.get("/namespaces/{namespace}/modelsyncs/{name}", responses=_SYNC)
async def get_sync(door: TheDoor, caller: TheCaller, namespace: Namespace, name: Name) -> Response:
    """One ModelSync."""
    found = await door.upstream.get(caller, sync_path(namespace, name))
    return tagged(found, shown(found))


@router.get("/namespaces/{namespace}/modelsyncs/{name}/row", responses={200: {"model": values.Row}})
async def get_row(door: TheDoor, caller: TheCaller, namespace: Namespace, name: Name) -> Response:
    """One ModelSync as people read it."""
    found = await door.upstream.get(caller, sync_path(namespace, name))
    return tagged(found, rows.read(found, door.now()).dump())


@router.delete("/namespaces/{namespace}/modelsyncs/{name}", status_code=204)
async def delete_sync(
    door: TheDoor, caller: TheCaller, namespace: Namespace, name: Name, if_match: IfMatch
) -> Response:
    """Delete a ModelSync. Its worker is stopped; published files stay."""
    door.must_write()
    path = sync_path(namespace, name)
    found = await door.upstream.get(caller, path)
    limits = {"uid": (found.get("metadata") or {}).get("uid")}
    if if_match is not None:
        limits["resourceVersion"] = if_match
    body = {"propagationPolicy": "Background", "preconditions": limits}
    try:
        await door.upstream.send(caller, "DELETE", path, body=body)
    except Problem as problem:
        if problem.status == 409 and if_match is not None:
            raise await door.conflict(caller, namespace, name, if_match, problem) from None
        raise
    return Response(status_code=204)


@router.get(
    "/namespaces/{namespace}/modelsyncs/{name}/events", responses={200: {"model": list[values.EventLine]}}
)
async def get_events(door: TheDoor, caller: TheCaller, namespace: Namespace, name: Name) -> Response:
    """The Events about a ModelSync, the oldest first."""
    sync = await door.upstream.get(caller, sync_path(namespace, name))
    uid = (sync.get("metadata") or {}).get("uid")
    if not isinstance(uid, str):
        raise Problem(502, ProblemReason.API_SERVER_UNAVAILABLE, "the object has no uid")
    query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": str(_MOST_EVENTS)}
    page = await door.upstream.get(caller, f"/api/v1/namespaces/{namespace}/events", query)
    lines = reading_events.read(each for each in page.get("items") or [] if isinstance(each, dict))
    return JSONResponse([each.dump() for each in lines], headers={"Cache-Control": "no-store"})
