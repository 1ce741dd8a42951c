"""Speeds of the past at the page's server: from the operator for what the caller may list, else its own."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from modelsync.reading.history import Keeper
from modelsync.reading.speed_record import Flow, Question, SpeedRecord
from modelsync.runtime.cluster import cache
from modelsync.runtime.telemetry import history_server, http_server, speed_recorder
from modelsync.web.operator_history import FRESH_SECONDS, OperatorHistory
from tests.web.fake_cluster import ALL, FakeCluster, a_sync
from tests.web.served import Served, run, serving

POD_TOKEN = "token-of-the-pod"
USERS = {"token-of-a": {"a"}, "token-of-b": {"b"}, "token-of-all": {ALL}}
SPEEDS = {"a": 1_000, "b": 70_000}


def utc() -> datetime:
    return datetime.now(UTC)


@dataclass
class Operator:
    """The operator's port, with a record of both namespaces; `asked` holds the tokens and questions."""

    acts: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.recorder = speed_recorder.SpeedRecorder(cache.Store(), may_act=lambda: self.acts, clock=utc)
        if self.acts:
            self.recorder.record = SpeedRecord(utc(), Keeper.OPERATOR)
            flows = [
                Flow(namespace=each, uid=f"uid-of-{each}-x", queue="default", bytes_per_second=speed)
                for each, speed in SPEEDS.items()
            ]
            self.recorder.record.sample(utc(), flows)

    @contextlib.asynccontextmanager
    async def serving(self, host: str = "127.0.0.1") -> AsyncIterator["Operator"]:
        handler = history_server.Handler(self.recorder, self._is_reader)

        async def noting(request: Any) -> Any:
            self.asked.append((request.headers.get("Authorization", ""), request.path_qs))
            return await handler(request)

        server = http_server.Server(noting, port=self.port, host=host, bounds=history_server.BOUNDS)
        self.port = await server.start()
        try:
            yield self
        finally:
            await server.close()

    async def _is_reader(self, token: str) -> bool:
        return token == POD_TOKEN


@contextlib.asynccontextmanager
async def page(
    tmp_path: Path, operator: Operator, *, monotonic: Callable[[], float] = lambda: 0.0, **users: set[str]
) -> AsyncIterator[Served]:
    """The page's server beside an operator and a cluster with a ModelSync in each of two namespaces."""
    (tmp_path / "token").write_text(f"{POD_TOKEN}\n")
    cluster = FakeCluster(users=users or dict(USERS))
    cluster.put(a_sync("a", "x"), a_sync("b", "x"))
    kept = OperatorHistory("127.0.0.1", operator.port, tmp_path / "token", monotonic=monotonic)
    async with serving(cluster, operator_history=kept) as served:
        yield served


def test_each_caller_reads_the_operators_record_of_what_the_caller_may_list(tmp_path: Path) -> None:
    async def check() -> None:
        async with Operator().serving() as operator, page(tmp_path, operator) as served:
            for token, question, wanted in [
                ("token-of-a", "", 1_000),
                ("token-of-b", "", 70_000),
                ("token-of-all", "", 71_000),
                ("token-of-all", "&namespace=b", 70_000),
                ("token-of-a", "&queue=default", 1_000),
                ("token-of-all", "&queue=default", 71_000),
                ("token-of-a", "&sync=a/x", 1_000),
                ("token-of-b", "&sync=b/x", 70_000),
            ]:
                answer = await served.ask("GET", f"/api/v1/history?span=5m{question}", token)
                assert answer.status == 200, answer.text
                found = answer.json
                assert [each for each in found["down"] if each is not None][-1] == wanted, question
                assert (found["keptBy"], found["cutReason"]) == ("Operator", "OperatorStarted")
            assert {token for token, _ in operator.asked} == {f"Bearer {POD_TOKEN}"}

    run(check())


@pytest.mark.parametrize(
    "question",
    [
        "sync=b/x",
        "namespace=b",
        "namespace=b&sync=b/x",
        "namespace=*",
        "namespace=a&namespace=b",
        "queue=a/default",
        "queue=default&namespace=b",
        "sync=b/x&namespace=a",
        "sync=uid-of-b-x",
        "sync=a/../b/x",
        "queue=*",
        "span=5m%26namespace%3D*",
    ],
)
def test_no_question_of_one_user_shows_another_users_speeds(tmp_path: Path, question: str) -> None:
    async def check() -> None:
        async with Operator().serving() as operator, page(tmp_path, operator) as served:
            answer = await served.ask("GET", f"/api/v1/history?{question}", "token-of-a")
            assert "70000" not in answer.text and "71000" not in answer.text
            assert all("namespace=b" not in path and "*" not in path for _, path in operator.asked)

    run(check())


def test_an_answer_that_comes_in_parts_is_read_whole(tmp_path: Path) -> None:
    record = SpeedRecord(utc(), Keeper.OPERATOR)
    asked = Question(span="24h", namespaces=("a",))
    text = record.answer(asked, utc()).dump_json().encode()

    async def in_parts(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for part in (text[:100], text[100:-100], text[-100:]):
            await answer.write(part)
            await asyncio.sleep(0.05)  # a reader has taken the part; nothing else shows it
        return answer

    async def check() -> None:
        runner = web.ServerRunner(web.Server(in_parts))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        (tmp_path / "token").write_text(POD_TOKEN)
        kept = OperatorHistory("127.0.0.1", runner.addresses[0][1], tmp_path / "token")
        try:
            found = await kept.read(asked)
            assert found is not None and found.dump_json().encode() == text
        finally:
            await kept.close()
            await runner.cleanup()

    run(check())


def test_a_right_that_was_taken_away_takes_the_history_with_it(tmp_path: Path) -> None:
    async def check() -> None:
        async with Operator().serving() as operator, page(tmp_path, operator) as served:
            assert (await served.ask("GET", "/api/v1/history", "token-of-a")).status == 200
            served.cluster.users["token-of-a"] = set()
            served.cluster.end_watches()
            async with asyncio.timeout(60):
                while (await served.ask("GET", "/api/v1/history", "token-of-a")).status == 200:
                    await asyncio.sleep(0.05)

    run(check())


@pytest.mark.parametrize("case", ["away", "does not act", "another token", "no token file", "no answer"])
def test_without_the_operator_the_page_keeps_its_own_and_says_so(tmp_path: Path, case: str) -> None:
    async def check() -> None:
        async with Operator(acts=case != "does not act").serving() as operator:
            async with page(tmp_path, operator) as served:
                if case == "another token":
                    (tmp_path / "token").write_text("wrong")
                elif case == "no token file":
                    (tmp_path / "token").unlink()
                elif case == "away":
                    operator.recorder.record = None
                elif case == "no answer":
                    (tmp_path / "token").write_bytes(b"\xff\xfe")
                for path in ("history", "history?queue=default", "history?sync=a/x"):
                    answer = await served.ask("GET", f"/api/v1/{path}", "token-of-a")
                    assert answer.status == 200, answer.text
                    found = answer.json
                    assert (found["keptBy"], found["cutReason"]) == ("WebServer", "PageOpened")

    run(check())


def test_many_callers_of_the_same_rights_ask_the_operator_once(tmp_path: Path) -> None:
    clock = [0.0]

    async def check() -> None:
        async with (
            Operator().serving() as operator,
            page(tmp_path, operator, monotonic=lambda: clock[0]) as served,
        ):
            path = "/api/v1/history?span=1h"
            await served.ask("GET", path, "token-of-a")
            answers = await asyncio.gather(*(served.ask("GET", path, "token-of-a") for _ in range(20)))
            assert {answer.status for answer in answers} == {200}
            assert len(operator.asked) == 1
            clock[0] += FRESH_SECONDS
            await served.ask("GET", path, "token-of-a")
            assert len(operator.asked) == 2

    run(check())


def test_the_replica_that_acts_is_found_among_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        async with Operator(acts=False).serving("127.0.0.1") as standby:
            acting = Operator(port=standby.port)
            (tmp_path / "token").write_text(POD_TOKEN)
            async with acting.serving("127.0.0.2"):
                loop = asyncio.get_running_loop()

                async def both(*_: Any, **__: Any) -> list[Any]:
                    return [(2, 1, 6, "", (f"127.0.0.{n}", standby.port)) for n in (1, 2)]

                monkeypatch.setattr(loop, "getaddrinfo", both)
                history = OperatorHistory("modelsync-history", standby.port, tmp_path / "token")
                found = await history.read(Question(span="5m"))
                assert found is not None and found.kept_by is Keeper.OPERATOR
                await history.close()

    run(check())


def test_no_token_stands_in_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with Operator().serving() as operator, page(tmp_path, operator) as served:
            await served.ask("GET", "/api/v1/history", "token-of-a")
            operator.recorder.record = None
            await served.ask("GET", "/api/v1/history?span=24h", "token-of-a")

    with caplog.at_level(logging.DEBUG):
        run(check())
    assert "token-of" not in caplog.text
