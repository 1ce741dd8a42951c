"""Lists: complete before the first plan, whatever happens to them."""

import asyncio
import json

import pytest
from aiohttp import web

from modelsync.runtime.cluster import api_client, cache, relist
from modelsync.runtime.cluster.resources import JOBS, SYNCS
from tests.runtime import fake_api, harness


def lister(
    api: fake_api.FakeApi, known: cache.Store, *namespaces: str
) -> tuple[api_client.Kube, relist.Resync]:
    client = harness.connect(api.url)
    return client, relist.Resync(client, known, namespaces=namespaces, operator_namespace="ops", page=3)


@harness.in_loop
async def test_all_pages_are_read() -> None:
    known = cache.Store()
    async with fake_api.FakeApi().serving() as api:
        for number in range(10):
            api.put(SYNCS, harness.sync(f"s{number}"))
        api.put(JOBS, harness.job("uid-s1"))
        client, lists = lister(api, known)
        await lists.once()
        assert len(known.syncs) == 10 and len(known.jobs) == 1
        assert lists.complete.is_set()
        assert api.count("GET", "/apis/modelsync.dev/v1alpha1/modelsyncs") == 4
        await client.close()


@harness.in_loop
async def test_named_namespaces_are_listed_and_no_others() -> None:
    async with fake_api.FakeApi().serving() as api:
        client, lists = lister(api, cache.Store(), "a", "b")
        await lists.once()
        paths = {path for _, path in api.asked}
        assert paths == {
            f"{root}/namespaces/{namespace}/{plural}"
            for namespace in ("a", "b")
            for root, plural in (
                ("/apis/modelsync.dev/v1alpha1", "modelsyncs"),
                ("/apis/batch/v1", "jobs"),
                ("/api/v1", "pods"),
            )
        } | {"/apis/modelsync.dev/v1alpha1/namespaces/ops/syncqueues"}
        await client.close()


@harness.in_loop
async def test_a_continue_token_that_expired_begins_the_list_again() -> None:
    known = cache.Store()
    async with fake_api.FakeApi().serving() as api:
        for number in range(10):
            api.put(SYNCS, harness.sync(f"s{number}"))
        seen: list[str] = []

        async def expire(request: object) -> object:
            token = request.query.get("continue")  # type: ignore[attr-defined]
            if token and token not in seen:
                seen.append(token)
                return fake_api.status(410, "Expired")
            return None

        api.faults.append(expire)  # type: ignore[arg-type]
        client, lists = lister(api, known)
        await lists.once()
        assert len(known.syncs) == 10 and seen == ["3", "6", "9"]
        await client.close()


@harness.in_loop
async def test_a_list_that_fails_sweeps_nothing() -> None:
    known = cache.Store()
    async with fake_api.FakeApi().serving() as api:
        for number in range(10):
            api.put(SYNCS, harness.sync(f"s{number}"))
        client, lists = lister(api, known)
        await lists.once()
        calls = 0

        async def second_page_fails(request: object) -> object:
            nonlocal calls
            calls += 1
            return fake_api.status(500, "InternalError") if calls == 2 else None

        api.faults.append(second_page_fails)  # type: ignore[arg-type]
        with pytest.raises(api_client.ServerError):
            await lists.once()
        assert len(known.syncs) == 10
        await client.close()


@harness.in_loop
async def test_trouble_at_start_is_waited_out() -> None:
    known = cache.Store()
    async with fake_api.FakeApi().serving() as api:
        api.put(SYNCS, harness.sync())
        api.faults.append(
            fake_api.fails("GET", "modelsyncs", fake_api.status(503, "Unavailable"), ConnectionResetError())
        )
        client, lists = lister(api, known)
        await lists.until_complete()
        assert known.syncs
        await client.close()


@harness.in_loop
async def test_a_page_that_comes_slowly_is_read_to_its_end_and_one_that_stands_still_is_not() -> None:
    known, pause = cache.Store(), 1.2

    async def slowly(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith(SYNCS.plural):
            return None
        answer = web.StreamResponse()
        await answer.prepare(request)
        items = [json.dumps(harness.versioned(harness.sync(f"s{number}"), 5)) for number in range(5)]
        for piece in ('{"items":[', *(f"{item}," for item in items[:-1]), items[-1], "]}"):
            await answer.write(piece.encode())
            await asyncio.sleep(pause)
        return answer

    async with fake_api.FakeApi().serving() as api:
        api.faults.append(slowly)
        # The whole takes longer than the first client waits for a piece, and each piece is far from that.
        patient, strict = (harness.connect(api.url, timeout=seconds) for seconds in (6.0, 0.5))
        lists, cut = (
            relist.Resync(client, known, namespaces=["models"], operator_namespace="ops")
            for client in (patient, strict)
        )
        try:
            await lists.once()
            assert len(known.syncs) == 5
            pause = 30.0
            with pytest.raises(api_client.Unreachable):
                await cut.once()
        finally:
            await patient.close()
            await strict.close()
