"""Speeds of the past, kept by the operator and read over a real socket by the page's server alone."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from modelsync.api import naming
from modelsync.api.modelsync_status import NetworkStatus, ProgressStatus
from modelsync.api.reasons import Phase, Reason, Stage
from modelsync.reading import rows
from modelsync.runtime.cluster import cache
from modelsync.runtime.cluster.resources import SYNCS
from modelsync.runtime.telemetry import history_server, http_server, speed_recorder, token_reviews
from tests.builders import NOW, a_sync, ago
from tests.reading.objects import as_object, in_phase
from tests.runtime import harness

READER = "system:serviceaccount:modelsync-system:modelsync-web"
CANARY = "canary-token-of-the-page"


def review(
    *, authenticated: bool = True, audience: str = naming.HISTORY_AUDIENCE, user: str = READER
) -> dict[str, Any]:
    """The API server's word on a token."""
    return {"status": {"authenticated": authenticated, "audiences": [audience], "user": {"username": user}}}


class Reviewing:
    """An API server that reviews tokens; it knows CANARY."""

    def __init__(self, verdict: dict[str, Any] | int | None = None) -> None:
        self.verdict = review() if verdict is None else verdict
        self.bodies: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        assert request.path == "/apis/authentication.k8s.io/v1/tokenreviews"
        body = await request.json()
        self.bodies.append(body)
        if isinstance(self.verdict, int):
            return web.json_response({"kind": "Status", "message": "no"}, status=self.verdict)
        good = body["spec"] == {"token": CANARY, "audiences": [naming.HISTORY_AUDIENCE]}
        return web.json_response(self.verdict if good else review(authenticated=False), status=201)

    @contextlib.asynccontextmanager
    async def reviews(self, monotonic: Callable[[], float] = lambda: 0.0) -> AsyncIterator[Any]:
        """What asks it."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        kube = harness.connect(f"http://127.0.0.1:{runner.addresses[0][1]}")
        try:
            yield token_reviews.TokenReviews(kube, reader=READER, monotonic=monotonic)
        finally:
            await kube.close()
            await runner.cleanup()


class Clock:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def a_recorder(*speeds: int, acts: bool = True) -> speed_recorder.SpeedRecorder:
    """One that has sampled a ModelSync of the namespace models at these speeds."""
    store, clock = cache.Store(), Clock()
    recorder = speed_recorder.SpeedRecorder(store, may_act=lambda: acts, clock=clock)
    for number, speed in enumerate(speeds):
        raw = harness.sync(phase="Downloading", progress={"bytesPerSecond": speed})
        raw["metadata"]["resourceVersion"] = str(number + 1)
        store.observe(SYNCS, None, raw)
        clock.on(5 if number else 0)
        recorder.sample()
    return recorder


@contextlib.asynccontextmanager
async def serving(
    recorder: speed_recorder.SpeedRecorder, is_reader: history_server.IsReader
) -> AsyncIterator[aiohttp.ClientSession]:
    handler = history_server.Handler(recorder, is_reader)
    server = http_server.Server(handler, port=0, host="127.0.0.1", bounds=history_server.BOUNDS)
    port = await server.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        await server.close()


WITH = {"Authorization": f"Bearer {CANARY}"}


@harness.in_loop
async def test_the_pages_server_reads_what_was_sampled() -> None:
    api = Reviewing()
    async with api.reviews() as reviews, serving(a_recorder(100, 300), reviews.is_reader) as session:
        for question, wanted in [
            ("namespace=*", [100, 300]),
            ("namespace=models&namespace=other", [100, 300]),
            ("namespace=models&sync=uid-llama", [100, 300]),
            ("namespace=models&queue=default", [100, 300]),
            ("namespace=other&sync=uid-llama", [None, None]),
            ("namespace=other", [None, None]),
        ]:
            async with session.get(f"/history?span=5m&{question}", headers=WITH) as answer:
                assert answer.status == 200, await answer.text()
                found = await answer.json()
                assert found["down"][-2:] == wanted
                assert (found["keptBy"], found["cutReason"]) == ("Operator", "OperatorStarted")
                assert found["since"] == found["cut"] == "2026-03-14T12:00:00Z"
    assert len(api.bodies) == 1  # a verdict is kept for a while


@pytest.mark.parametrize(
    ("verdict", "headers", "status"),
    [
        pytest.param(review(), {}, 401, id="no token"),
        pytest.param(review(), {"Authorization": "Basic eDp5"}, 401, id="another scheme"),
        pytest.param(review(), {"Authorization": "Bearer"}, 401, id="an empty token"),
        pytest.param(review(), {"Authorization": "Bearer another"}, 401, id="a token that is none"),
        pytest.param(review(), {"Authorization": f"Bearer {'x' * 9_000}"}, 401, id="a giant"),
        pytest.param(review(authenticated=False), WITH, 401, id="one that has expired"),
        pytest.param(review(audience="https://kubernetes.default.svc"), WITH, 401, id="of another audience"),
        pytest.param(review(user="system:serviceaccount:a:someone"), WITH, 401, id="somebody else's"),
        pytest.param({"status": {"authenticated": "true"}}, WITH, 401, id="an odd verdict"),
        pytest.param({}, WITH, 401, id="no verdict"),
        pytest.param(403, WITH, 503, id="no right to review"),
        pytest.param(500, WITH, 503, id="an API server in trouble"),
    ],
)
@harness.in_loop
async def test_nobody_else_reads_anything(
    verdict: dict[str, Any] | int, headers: dict[str, str], status: int
) -> None:
    async with (
        Reviewing(verdict).reviews() as reviews,
        serving(a_recorder(100), reviews.is_reader) as session,
        session.get("/history?namespace=*", headers=headers) as answer,
    ):
        assert answer.status == status
        assert "100" not in await answer.text()


@pytest.mark.parametrize("verdict", [review(), review(authenticated=False), 403, 500])
def test_a_token_stands_in_no_log(verdict: dict[str, Any] | int, caplog: pytest.LogCaptureFixture) -> None:
    @harness.in_loop
    async def ask() -> None:
        async with (
            Reviewing(verdict).reviews() as reviews,
            serving(a_recorder(100), reviews.is_reader) as session,
        ):
            for question in ("namespace=*", "namespace=a/b", "", "span=1w&namespace=*"):
                async with session.get(f"/history?{question}", headers=WITH) as answer:
                    assert CANARY not in await answer.text()

    with caplog.at_level(logging.DEBUG):
        ask()
    assert CANARY not in caplog.text


async def anybody(_: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics", 404),
        ("POST", "/history?namespace=*", 405),
        ("GET", "/history", 400),
        ("GET", "/history?namespace=*&namespace=a", 400),
        ("GET", "/history?namespace=*&span=1w", 400),
        ("GET", "/history?namespace=*&sync=uid-llama", 400),
        ("GET", "/history?namespace=a&namespace=b&sync=uid-llama", 400),
        ("GET", "/history?namespace=a%2Fb", 400),
        ("GET", "/history?namespace=a&sync=" + "x" * 300, 400),
        ("GET", "/history?" + "&".join(f"namespace={'n' * 60}{n}" for n in range(500)), 200),
        ("GET", "/history?" + "&".join(f"namespace={'n' * 60}{n}" for n in range(2_000)), 431),
    ],
)
@harness.in_loop
async def test_what_is_no_question_is_refused(method: str, path: str, status: int) -> None:
    async with (
        serving(a_recorder(100), anybody) as session,
        session.request(method, path, headers=WITH) as answer,
    ):
        assert answer.status == status


@harness.in_loop
async def test_a_replica_that_does_not_act_has_no_record_and_asks_nobody() -> None:
    api = Reviewing()
    async with (
        api.reviews() as reviews,
        serving(a_recorder(100, acts=False), reviews.is_reader) as session,
        session.get("/history?namespace=*", headers=WITH) as answer,
    ):
        assert answer.status == 503
    assert api.bodies == []


@harness.in_loop
async def test_a_verdict_ends_and_a_right_token_is_reviewed_while_wrong_ones_come() -> None:
    clock, api = [0.0], Reviewing()
    async with api.reviews(lambda: clock[0]) as reviews:
        assert await reviews.is_reader(CANARY)
        clock[0] += token_reviews.GOOD_SECONDS + 1
        verdicts = [await reviews.is_reader(f"wrong-{number}") for number in range(30)]
        assert None in verdicts and True not in verdicts
        assert await reviews.is_reader(CANARY)
        api.verdict = review(authenticated=False)
        clock[0] += token_reviews.GOOD_SECONDS - 1
        assert await reviews.is_reader(CANARY)
        clock[0] += 2
        assert await reviews.is_reader(CANARY) is False


def downloading(reason: Reason = Reason.DOWNLOADING, **progress: Any) -> Any:
    fields = {"bytes_per_second": 7, "observed_time": ago(1), "stage": Stage.DOWNLOADING, **progress}
    return in_phase(Phase.DOWNLOADING, reason, progress=ProgressStatus(**fields))


@pytest.mark.parametrize(
    ("sync", "wanted"),
    [
        pytest.param(downloading(), 7, id="bytes come"),
        pytest.param(downloading(stage=None), 7, id="an older operator's status"),
        pytest.param(downloading(bytes_per_second=None), None, id="nobody knows the speed yet"),
        pytest.param(downloading(observed_time=ago(61)), None, id="nobody hears of it"),
        pytest.param(downloading(observed_time=ago(60.9)), 7, id="heard of a moment ago"),
        pytest.param(downloading(observed_time=None), 7, id="nobody knows when it was heard of"),
        pytest.param(downloading(Reason.DOWNLOAD_STALLED), 7, id="stalled"),
        pytest.param(downloading(Reason.RATE_LIMITED), 7, id="the source limits the rate"),
        pytest.param(downloading(Reason.BACKING_OFF), None, id="between two attempts"),
        pytest.param(downloading(Reason.FOREIGN_WORKER), None, id="held up"),
        pytest.param(downloading().with_status(conditions=()), 7, id="no condition"),
        pytest.param(downloading(stage=Stage.CHECKING), None, id="files are checked"),
        pytest.param(downloading().with_status(phase=Phase.VERIFYING), None, id="verifying"),
        pytest.param(downloading().with_status(phase=Phase.COMPLETE), None, id="complete"),
        pytest.param(downloading().with_status(progress=None), None, id="no figures"),
        pytest.param(a_sync("x"), None, id="new"),
    ],
)
def test_a_speed_counts_while_bytes_come_and_a_row_shows_the_same(sync: Any, wanted: int | None) -> None:
    assert speed_recorder.flow(sync.build(), NOW).bytes_per_second == wanted
    shown = rows.read(as_object(sync), NOW).speed
    assert (None if shown is None else shown.bytes_per_second) == wanted


def test_bytes_sent_are_those_that_the_status_says() -> None:
    network = NetworkStatus(receive_bytes_per_second=9, transmit_bytes_per_second=4)
    assert speed_recorder.flow(downloading(network=network).build(), NOW).sent_per_second == 4
    assert speed_recorder.flow(downloading().build(), NOW).sent_per_second is None
