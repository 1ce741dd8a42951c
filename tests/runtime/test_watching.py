"""kopf as a watcher: what it sees, what it misses, and what ends it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from modelsync.runtime.cluster import api_client, cache, relist, watches
from modelsync.runtime.cluster.resources import JOBS, PODS, SYNCS, WATCHED
from tests.runtime import fake_api, harness


@asynccontextmanager
async def watched(
    api: fake_api.FakeApi,
    known: cache.Store,
    restarts: list[str] | None = None,
    client: api_client.Kube | None = None,
) -> AsyncIterator[relist.Resync]:
    client = client or harness.connect(api.url)
    watch = watches.Watch(
        client,
        known.observe,
        WATCHED,
        ["models"],
        on_restart=(restarts if restarts is not None else []).append,
        first_wait=0.05,
    )
    task = asyncio.create_task(watch.run())
    try:
        yield relist.Resync(client, known, namespaces=["models"], operator_namespace="ops", page=2)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


@harness.in_loop
async def test_what_was_there_and_what_comes_is_seen() -> None:
    known = cache.Store()
    async with fake_api.FakeApi().serving() as api:
        api.put(SYNCS, harness.sync("before"))
        async with watched(api, known):
            await harness.eventually(lambda: len(known.syncs) == 1)
            await harness.eventually(lambda: api.count("GET", "pods") > 1)
            api.put(SYNCS, harness.sync("later"))
            api.put(JOBS, harness.job())
            api.put(PODS, harness.pod())
            await harness.eventually(lambda: len(known.syncs) == 2 and known.jobs and known.pods)
            api.remove(SYNCS, "models", "later")
            await harness.eventually(lambda: len(known.syncs) == 1)


@harness.in_loop
async def test_only_jobs_and_pods_of_ours_are_asked_for() -> None:
    known = cache.Store()
    queries: list[tuple[str, str]] = []

    async def note(request: object) -> None:
        queries.append((request.path, request.query.get("labelSelector", "")))  # type: ignore[attr-defined]

    api = fake_api.FakeApi()
    api.faults.append(note)
    async with api.serving(), watched(api, known):
        await harness.eventually(lambda: len([p for p, _ in queries if p.endswith(("jobs", "pods"))]) >= 4)
    asked = {selector for path, selector in queries if path.endswith(("jobs", "pods"))}
    assert asked == {"app.kubernetes.io/managed-by=modelsync"}
    assert not [path for path, _ in queries if path.endswith("/namespaces")]


@harness.in_loop
async def test_nothing_is_written_by_watching() -> None:
    known = cache.Store()
    async with fake_api.FakeApi().serving() as api:
        for number in range(30):
            api.put(SYNCS, harness.sync(f"s{number}"))
        async with watched(api, known):
            await harness.eventually(lambda: len(known.syncs) == 30)
        assert not [verb for verb, _ in api.asked if verb != "GET"]


@harness.in_loop
async def test_the_end_of_kopf_is_the_beginning_of_another() -> None:
    known, restarts = cache.Store(), list[str]()
    async with fake_api.FakeApi().serving() as api, watched(api, known, restarts):
        # An ERROR in the stream that is not 410 ends kopf's operator at once.
        await harness.eventually(lambda: len(api._watchers) == 3)
        api._watchers[0][3].put_nowait({"type": "ERROR", "object": {"kind": "Status", "code": 500}})
        await harness.eventually(lambda: restarts)
        api.put(SYNCS, harness.sync("after"))
        await harness.eventually(lambda: known.syncs)
    assert set(restarts) == {"modelsyncs", "jobs", "pods"}


@harness.in_loop
async def test_a_watch_that_cannot_live_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "_LASTING", 0.5)
    api = fake_api.FakeApi()
    # kopf gives up at once when what it discovers makes no sense.
    api.faults.append(
        fake_api.fails("GET", "/apis", *[web.json_response({"no": "groups"}) for _ in range(3)])
    )
    async with api.serving():
        client = harness.connect(api.url)
        watch = watches.Watch(client, lambda *event: None, [PODS], ["models"], first_wait=0.05)
        task = asyncio.create_task(watch.run())
        await harness.eventually(lambda: watch.blind_for() > 0)
        await harness.eventually(lambda: watch.blind_for() == 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


@harness.in_loop
async def test_other_tasks_and_signals_outlive_the_end_of_kopf() -> None:
    known, restarts = cache.Store(), list[str]()
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, heard.set)
    before = signal.getsignal(signal.SIGTERM)
    async with fake_api.FakeApi().serving() as api, watched(api, known, restarts):
        await harness.eventually(lambda: len(api._watchers) == 3)
        younger = asyncio.create_task(asyncio.Event().wait())
        api._watchers[0][3].put_nowait({"type": "ERROR", "object": {"kind": "Status", "code": 500}})
        await harness.eventually(lambda: restarts)
        assert not younger.done()
        assert signal.getsignal(signal.SIGTERM) is before
        younger.cancel()
    loop.remove_signal_handler(signal.SIGUSR1)


@harness.in_loop
async def test_resources_that_are_not_served_yet_are_waited_for() -> None:
    known = cache.Store()
    api = fake_api.FakeApi()
    api.served.discard("modelsyncs")
    api.served.discard("syncqueues")
    async with api.serving(), watched(api, known):
        await harness.eventually(lambda: api.count("GET", "/apis/modelsync.dev/v1alpha1"))
        assert not api.count("GET", "/modelsyncs")
        api.served |= {"modelsyncs", "syncqueues"}
        api.put(SYNCS, harness.sync())
        await harness.eventually(lambda: known.syncs)


@harness.in_loop
async def test_what_was_deleted_during_a_410_is_swept_by_a_list() -> None:
    known = cache.Store()
    async with fake_api.FakeApi().serving() as api:
        for name in ("a", "b", "c"):
            api.put(SYNCS, harness.sync(name))
        async with watched(api, known) as lists:
            await harness.eventually(lambda: len(known.syncs) == 3 and len(api._watchers) == 3)
            api.quiet = True
            api.remove(SYNCS, "models", "b")
            api.break_watches(expired=True)
            listed = api.count("GET", "modelsyncs")
            await harness.eventually(lambda: api.count("GET", "modelsyncs") >= listed + 2)
            assert len(known.syncs) == 3, "kopf does not report it; if it does some day, the sweep may go"
            await lists.once()
            assert sorted(record.name for record in known.syncs.values()) == ["a", "c"]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", None], ids=str)
def test_lists_and_watches_go_through_the_same_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    """The proxy is the fake server itself: nothing else answers to the name of the API server."""
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    @harness.in_loop
    async def check() -> None:
        known = cache.Store()
        async with fake_api.FakeApi().serving() as api:
            client = harness.connect("http://kubernetes.invalid", proxy=None if variable else api.url)
            if variable:
                monkeypatch.setenv(variable, api.url)
            async with watched(api, known, client=client) as lists:
                api.put(SYNCS, harness.sync("one"))
                await harness.eventually(lambda: len(known.syncs) == 1)
                await lists.once()

    check()


@harness.in_loop
async def test_a_proxy_is_passed_by_for_the_hosts_of_no_proxy() -> None:
    known = cache.Store()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
        environment.setenv("NO_PROXY", "127.0.0.1")
        async with fake_api.FakeApi().serving() as api, watched(api, known):
            api.put(SYNCS, harness.sync("one"))
            await harness.eventually(lambda: len(known.syncs) == 1)
