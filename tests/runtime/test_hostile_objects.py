"""One object, whatever it holds, ends no watch, no list and no operator, and is as new when it is fixed."""

import asyncio
from collections.abc import Iterator

import pytest

from modelsync.api import modelsync_status as api
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import cache, parsing, relist, watches
from modelsync.runtime.cluster.resources import JOBS, PODS, SYNCS, WATCHED, Resource
from modelsync.runtime.telemetry import metrics, unreadable_objects
from modelsync.runtime.writes import status_writer
from tests.runtime import fake_api, harness, test_operator
from tests.runtime import hostile_json as hostile

TEXTS = {**hostile.DEEP, **hostile.NOT_JSON}


def hostile_objects(texts: dict[str, str]) -> Iterator[tuple[Resource, harness.Object]]:
    """Each text in each place of each kind that we read."""
    for number, name in enumerate(texts):
        by_spec = harness.sync(f"spec-{number}")
        by_spec["spec"]["podTemplate"] = {"affinity": {"nodeAffinity": name}}
        yield SYNCS, by_spec
        by_fields = harness.sync(f"fields-{number}")
        by_fields["metadata"]["managedFields"] = [{"fieldsV1": name}]
        yield SYNCS, by_fields
        job = harness.job(f"uid-spec-{number}", name=f"job-{number}")
        job["metadata"]["managedFields"] = [{"fieldsV1": name}]
        job["spec"] = {"template": name, "suspend": True}
        yield JOBS, job
        pod = harness.pod(f"uid-spec-{number}", job_uid=f"job-job-{number}")
        pod["metadata"] |= {"name": f"pod-{number}", "uid": f"pod-{number}"}
        pod["metadata"]["managedFields"] = [name]
        pod["spec"] = {"affinity": name, "nodeName": "node-1"}
        yield PODS, pod


class Watched:
    """A store that a watch and lists fill from a fake API server, with all that they report."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.api = fake_api.FakeApi()
        self.api.texts = texts
        self.store = cache.Store()
        self.restarts: list[str] = []
        self.odd: list[str] = []
        self.metrics = metrics.Metrics()
        self.oddities = unreadable_objects.Oddities(self.odd.append)

    async def __aenter__(self) -> "Watched":
        self._serving = self.api.serving()
        await self._serving.__aenter__()
        self._client = harness.connect(self.api.url)
        self.resync = relist.Resync(
            self._client,
            self.store,
            namespaces=["models"],
            operator_namespace="ops",
            on_odd=self.oddities.report,
        )
        watch = watches.Watch(
            self._client,
            self.store.observe,
            WATCHED,
            ["models"],
            on_restart=self.restarts.append,
            on_odd=self.oddities.report,
            first_wait=0.05,
        )
        self._task = asyncio.create_task(watch.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.close()
        await self._serving.__aexit__(None, None, None)

    def count(self) -> tuple[int, int, int]:
        return len(self.store.syncs), len(self.store.jobs), len(self.store.pods)


def put_all(api: fake_api.FakeApi, texts: dict[str, str]) -> None:
    for resource, raw in hostile_objects(texts):
        api.put(resource, raw)


def believed(known: cache.Store, texts: dict[str, str]) -> None:
    """What is safe to believe of all of them."""
    for number in range(len(texts)):
        assert known.syncs[f"uid-spec-{number}"].invalid
        assert not known.syncs[f"uid-fields-{number}"].invalid
        assert known.jobs[f"job-job-{number}"].state is snapshot.JobState.ACTIVE
        assert known.pods[f"pod-{number}"].phase in ("Running", "Pending")


@harness.in_loop
@pytest.mark.parametrize("when", ["at start", "while it is watched", "at a list"])
async def test_no_object_ends_a_watch_or_a_list(when: str) -> None:
    seen = Watched({**TEXTS})
    if when == "at start":
        put_all(seen.api, TEXTS)
    async with seen:
        many = len(TEXTS)
        await harness.eventually(lambda: len(seen.api._watchers) == 3)
        seen.api.quiet = when == "at a list"
        if when != "at start":
            put_all(seen.api, TEXTS)
        if when == "at a list":
            await seen.resync.once()
        await harness.eventually(lambda: seen.count() == (2 * many, many, many))
        believed(seen.store, TEXTS)
        seen.api.quiet = False
        seen.api.put(SYNCS, harness.sync("good"))
        await harness.eventually(lambda: "uid-good" in seen.store.syncs)
        assert not seen.restarts
        assert {"modelsyncs"} <= set(seen.odd) <= {"modelsyncs", "jobs", "pods"}


@harness.in_loop
async def test_a_fixed_object_is_as_new_at_once() -> None:
    async with Watched({**TEXTS}) as seen:
        await harness.eventually(lambda: len(seen.api._watchers) == 3)
        put_all(seen.api, TEXTS)
        await harness.eventually(lambda: seen.count()[0] == 2 * len(TEXTS))
        for number in range(len(TEXTS)):
            seen.api.put(SYNCS, harness.sync(f"spec-{number}"))
        await harness.eventually(
            lambda: not any(r.invalid for n, r in seen.store.syncs.items() if "spec" in n)
        )
        for number in range(len(TEXTS)):
            seen.api.remove(SYNCS, "models", f"spec-{number}")
            seen.api.remove(PODS, "models", f"pod-{number}")
        await harness.eventually(lambda: (seen.count()[0], seen.count()[2]) == (len(TEXTS), 0))
        assert not seen.restarts


def broken(known: cache.Store) -> list[str]:
    return [uid for uid, record in known.syncs.items() if record.invalid and "spec" in uid]


NAMELESS: dict[str, harness.Object] = {
    "no metadata": {"spec": {}},
    "metadata as a list": {"metadata": []},
    "metadata as a string": {"metadata": "x"},
    "a number as its name": {"metadata": {"name": 1, "uid": "u", "resourceVersion": "1"}},
    "a list as its uid": {"metadata": {"name": "n", "uid": [], "resourceVersion": "1"}},
    "labels as a list": {"metadata": {"name": "n", "uid": "u2", "resourceVersion": "1", "labels": [1]}},
    "annotations, a number": {
        "metadata": {"name": "n", "uid": "u3", "resourceVersion": "x", "annotations": 1}
    },
    "a version without end": {"metadata": {"name": "n", "uid": "u4", "resourceVersion": "9" * 5_000}},
    "kopf's own annotation, not JSON": {
        "metadata": {
            "name": "n",
            "uid": "u5",
            "resourceVersion": "1",
            "annotations": {"kopf.zalando.org/last-handled-configuration": "{"},
        }
    },
    "a uid that does not parse": {"metadata": {"name": "n", "uid": "a lone surrogate"}},
}


@harness.in_loop
async def test_what_has_no_identity_is_reported_and_what_was_known_is_kept() -> None:
    async with Watched({**TEXTS}) as seen:
        for resource, raw in ((SYNCS, harness.sync()), (JOBS, harness.job()), (PODS, harness.pod())):
            seen.api.put(resource, raw)
        await seen.resync.once()
        await harness.eventually(lambda: len(seen.api._watchers) == 3)
        for number, raw in enumerate(NAMELESS.values()):
            for resource in WATCHED:
                seen.api.objects[resource.plural, "models", f"odd-{number}"] = raw
                seen.api._notify("MODIFIED", (resource.plural, "models", f"odd-{number}"), raw)
        del seen.api.objects["jobs", "models", harness.job()["metadata"]["name"]]
        await seen.resync.once()
        seen.api.put(SYNCS, harness.sync("good"))
        await harness.eventually(lambda: "uid-good" in seen.store.syncs)
        # Any of those that cannot be read may be the Job that this list does not hold.
        assert seen.store.jobs.keys() >= {harness.job()["metadata"]["uid"]}
        assert not seen.restarts
        assert set(seen.odd) == {"modelsyncs", "jobs", "pods"}


@harness.in_loop
async def test_an_operator_starts_and_works_beside_hostile_objects() -> None:
    api = fake_api.FakeApi()
    api.texts = {**TEXTS}
    put_all(api, TEXTS)
    async with api.serving(), test_operator.running(api):
        await harness.eventually(lambda: test_operator.status(api, "spec-0").get("conditions"))
        api.put(SYNCS, harness.sync("good"))
        await harness.eventually(lambda: test_operator.status(api, "good").get("phase") == "Queued")


@harness.in_loop
async def test_what_nobody_foresaw_at_one_object_is_counted_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parse = parsing.sync_record

    def breaks(raw: harness.Object) -> snapshot.SyncRecord:
        if raw["metadata"]["name"] == "odd":
            raise RuntimeError("nobody foresaw this")
        return parse(raw)

    monkeypatch.setattr(parsing, "sync_record", breaks)
    api = fake_api.FakeApi()
    api.put(SYNCS, harness.sync("odd"))
    api.put(SYNCS, harness.sync("good"))
    async with api.serving(), test_operator.running(api) as run:
        await harness.eventually(lambda: test_operator.status(api, "good").get("phase") == "Queued")
        counted = run.measured.registry.get_sample_value
        assert (counted("modelsync_unexpected_errors_total", {"part": "cache"}) or 0) >= 1
        assert not counted("modelsync_watch_restarts_total", {"resource": "modelsyncs"})


@harness.in_loop
async def test_a_part_that_fails_is_counted_and_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    once, failures = relist.Resync.once, [RecursionError(), RuntimeError("odd"), KeyError("items")]

    async def fails(self: relist.Resync) -> None:
        if failures:
            raise failures.pop()
        await once(self)

    monkeypatch.setattr(relist.Resync, "once", fails)
    api = fake_api.FakeApi()
    api.put(SYNCS, harness.sync("good"))
    async with api.serving(), test_operator.running(api) as run:
        await harness.eventually(lambda: test_operator.status(api, "good").get("phase") == "Queued")
        counted = run.measured.registry.get_sample_value
        by_part = [
            counted("modelsync_unexpected_errors_total", {"part": p}) or 0 for p in ("resync", "first list")
        ]
        assert sum(by_part) == 3


@harness.in_loop
async def test_a_status_that_cannot_be_handed_over_holds_back_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer = status_writer.StatusWriter.offer_sync

    def breaks(
        self: status_writer.StatusWriter, record: snapshot.SyncRecord, wanted: api.ModelSyncStatus
    ) -> None:
        if record.name == "first":
            raise RecursionError
        offer(self, record, wanted)

    monkeypatch.setattr(status_writer.StatusWriter, "offer_sync", breaks)
    server = fake_api.FakeApi()
    server.put(SYNCS, harness.sync("first"))
    async with server.serving(), test_operator.running(server) as run:
        await harness.eventually(lambda: run.operator.store.syncs)
        server.put(SYNCS, harness.sync("good"))
        await harness.eventually(lambda: test_operator.status(server, "good").get("phase") == "Queued")
        counted = run.measured.registry.get_sample_value
        assert (counted("modelsync_unexpected_errors_total", {"part": "reconcile_loop"}) or 0) >= 1
