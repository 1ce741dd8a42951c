"""Polling workers over real HTTP: honest ones, slow ones and hostile ones."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from modelsync.api import protocol
from modelsync.core import actions
from modelsync.runtime.cluster import cache, job_signatures, parsing
from modelsync.runtime.cluster.resources import JOBS, PODS, SYNCS
from modelsync.runtime.workers import progress_poller, report_validation, worker_client
from tests.runtime import fake_api, harness, worker_double


@dataclass
class Bench:
    worker: worker_double.WorkerDouble
    known: cache.Store
    poller: progress_poller.Poller
    results: Counter[str]

    async def poll(self) -> protocol.ProgressReport | None:
        """One poll of every Pod, to its end."""
        for pod in self.poller.targets():
            await self.poller.ask(pod)
        sample = self.known.samples.get("pod-1")
        return sample.report if sample else None

    @asynccontextmanager
    async def runs(self) -> AsyncIterator[None]:
        """Poll by itself meanwhile."""
        task = asyncio.create_task(self.poller.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def bench(*, may_act: bool = True, **pod: Any) -> AsyncIterator[Bench]:
    known, results = cache.Store(), Counter[str]()
    known.observe(SYNCS, "ADDED", harness.versioned(harness.sync(attempts=1), 1))
    known.observe(JOBS, "ADDED", harness.versioned(harness.job(), 2))
    known.observe(PODS, "ADDED", harness.versioned(harness.pod(**pod), 3))
    async with worker_double.WorkerDouble().serving() as worker:
        channel = worker_client.Direct(port=worker.port, timeout=10)
        made = progress_poller.Poller(
            known,
            channel,
            may_act=lambda: may_act,
            count=lambda result: results.update([result]),
            interval=0.05,
        )
        yield Bench(worker, known, made, results)
        await channel.close()


@harness.in_loop
async def test_an_honest_report_becomes_a_sample() -> None:
    async with bench() as b:
        report = await b.poll()
        assert report is not None and report.progress.bytes_done == 10
        assert b.results == {"ok": 1}


def changed(**progress: Any) -> bytes:
    report = worker_double.WorkerDouble().report
    return json.dumps({**report, "progress": {**report["progress"], **progress}}).encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 50_000, id="deeply nested"),
        pytest.param(changed(bytesDone=float("nan")), id="NaN"),
        pytest.param(changed(bytesDone=float("inf")), id="infinity"),
        pytest.param(changed(bytesDone=-1), id="a negative number"),
        pytest.param(changed(bytesDone=2**70), id="a huge number"),
        pytest.param(changed(bytesDone="10"), id="a number as text"),
        pytest.param(changed(bytesDone=True), id="a truth as a number"),
        pytest.param(changed(layer="Magic"), id="a word that is none"),
        pytest.param(changed().replace(b"uid-llama", b"uid-other"), id="another uid"),
        pytest.param(changed().replace(b'"attempt": 1', b'"attempt": 2'), id="another attempt"),
        pytest.param(changed() + b" " * 70_000, id="more than 64 KiB"),
        pytest.param(b"x" * 10_000_000, id="10 MB"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
    ],
)
@harness.in_loop
async def test_what_is_no_honest_report_changes_nothing(body: bytes) -> None:
    async with bench() as b:
        before = await b.poll()
        b.worker.body = body
        assert await b.poll() is before
        assert b.results["invalid"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(web.Response(status=302, headers={"Location": "/elsewhere"}), id="a redirect"),
        pytest.param(web.Response(status=401), id="401"),
        pytest.param(web.Response(status=500, text="{}"), id="500"),
    ],
)
@harness.in_loop
async def test_another_status_is_no_answer_and_no_redirect_is_followed(answer: web.Response) -> None:
    async with bench() as b:
        b.worker.answer = answer
        assert await b.poll() is None
        assert b.results == {"unreachable": 1} and b.worker.elsewhere == 0


@harness.in_loop
async def test_a_packed_answer_is_not_unpacked() -> None:
    async with bench() as b:
        b.worker.answer = web.json_response(b.worker.report)
        b.worker.answer.enable_compression(web.ContentCoding.gzip)
        assert await b.poll() is None
        assert b.results == {"invalid": 1}


@harness.in_loop
async def test_a_worker_that_hangs_costs_its_timeout_and_blocks_nobody() -> None:
    async with bench() as b:

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        async with server:
            b.poller._channel = channel = worker_client.Direct(
                port=server.sockets[0].getsockname()[1], timeout=0.1
            )
            assert await b.poll() is None
            assert b.results == {"unreachable": 1}
            await channel.close()


@harness.in_loop
async def test_counters_never_fall_within_an_attempt() -> None:
    async with bench() as b:
        b.worker.report["progress"] = {
            "bytesTotal": 1000,
            "bytesDone": 500,
            "bytesNetwork": 600,
            "filesDone": 3,
        }
        b.worker.report["devices"] = [{"device": "eth0", "receiveBytes": 700, "transmitBytes": 70}]
        await b.poll()
        b.worker.report["progress"] = {
            "bytesTotal": 1000,
            "bytesDone": 400,
            "bytesNetwork": 1,
            "filesDone": 0,
        }
        b.worker.report["devices"] = [{"device": "eth0", "receiveBytes": 1, "transmitBytes": 1}]
        report = await b.poll()
        assert report is not None
        progress, device = report.progress, report.devices[0]
        assert (progress.bytes_done, progress.bytes_network, progress.files_done) == (500, 600, 3)
        assert (device.receive_bytes, device.transmit_bytes) == (700, 70)


@harness.in_loop
async def test_what_is_done_is_no_more_than_the_whole() -> None:
    async with bench() as b:
        b.worker.report["progress"] = {"bytesTotal": 1000, "bytesDone": 5000, "filesTotal": 2, "filesDone": 7}
        report = await b.poll()
        assert report is not None
        assert (report.progress.bytes_done, report.progress.files_done) == (1000, 2)


@harness.in_loop
async def test_control_characters_do_not_pass() -> None:
    async with bench() as b:
        b.worker.report["progress"]["currentFile"] = "a\x1b[2Jb\n"
        b.worker.report["resolved"] = {"revision": "r" * 1000 + "\x00", "files": 3}
        report = await b.poll()
        assert report is not None and report.resolved is not None
        assert report.progress.current_file == "a\N{REPLACEMENT CHARACTER}[2Jb "
        assert (len(report.resolved.revision or ""), report.resolved.files) == (128, 3)


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param({"podIP": ""}, id="no IP yet"),
        pytest.param({"phase": "Pending"}, id="pending"),
        pytest.param({"words": harness.words()}, id="ended"),
        pytest.param({"job_uid": "another"}, id="of a Job that is not ours"),
        pytest.param({"attempt": 2}, id="of another attempt than its Job's"),
        pytest.param({"sync_uid": "uid-other"}, id="of another ModelSync than its Job's"),
    ],
)
@harness.in_loop
async def test_only_running_pods_of_our_jobs_are_asked(pod: dict[str, Any]) -> None:
    async with bench(**pod) as b:
        await b.poll()
        assert b.worker.asked == 0


@pytest.mark.parametrize("may_act", [True, False])
@harness.in_loop
async def test_a_standby_asks_nobody(may_act: bool) -> None:
    async with bench(may_act=may_act) as b, b.runs():
        if may_act:
            await harness.eventually(lambda: b.worker.asked >= 2)
        else:
            await asyncio.sleep(0.2)
            assert b.worker.asked == 0


@harness.in_loop
async def test_a_worker_gets_its_limit_once_in_an_interval() -> None:
    async with bench() as b, b.runs():
        await harness.eventually(lambda: b.worker.asked)
        wish = actions.SetLimit(pod=b.known.pods["pod-1"], bytes_per_second=5_000_000)
        for _ in range(3):
            b.poller.set_limit(wish)
        await harness.eventually(lambda: b.worker.limits)
        assert b.worker.limits == [{"bytesPerSecond": 5_000_000}]


def test_a_silent_pod_is_asked_rarer_and_rarer() -> None:
    waits = [progress_poller.wait_after(failures, 1.0) for failures in (0, 3, 4, 6, 20)]
    assert [round(wait) for wait in waits[:2]] == [1, 1]
    assert 1.8 < waits[2] < 2.2 and 7.5 < waits[3] < 8.5 and 28 < waits[4] < 32


@harness.in_loop
async def test_a_pod_is_reached_through_the_api_server_too() -> None:
    asked: list[tuple[str, str, str]] = []

    async def proxy(request: web.Request) -> web.StreamResponse | None:
        if "/proxy/" not in request.path:
            return None
        asked.append((request.method, request.path, request.headers.get("X-Modelsync-Key", "")))
        return web.json_response(worker_double.WorkerDouble().report)

    api = fake_api.FakeApi()
    api.faults.append(proxy)
    async with api.serving():
        client = harness.connect(api.url)
        channel = worker_client.Proxied(client)
        pod = parsing.pod_record(harness.versioned(harness.pod(), 1), job_signatures.Proofs())
        assert report_validation.parse(await channel.progress(pod), pod, None).progress.bytes_done == 10
        await channel.limit(pod, protocol.LimitRequest(bytes_per_second=1))
        path = "/api/v1/namespaces/models/pods/llama-pod:8081/proxy"
        assert asked == [("GET", f"{path}/progress", "the-key"), ("PUT", f"{path}/limit", "the-key")]
        await client.close()
