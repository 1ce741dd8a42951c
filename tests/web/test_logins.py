"""Logging in: who is slowed down, who is not, and what gets in on a laptop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelsync.web import sessions
from modelsync.web.config import Mode
from modelsync.web.sessions import Buckets, Logins
from tests.web import served
from tests.web.fake_cluster import FakeCluster
from tests.web.test_attacks import CANARY, ONE, a_cluster


def test_sessions_outlive_a_restart_where_their_key_is_kept(tmp_path: Path) -> None:
    async def cookie_of(web: served.Served) -> dict[str, str]:
        done = await web.ask("POST", "/api/v1/session", json={"token": "ann"})
        return {"Cookie": done.headers["Set-Cookie"].split(";")[0]}

    async def test() -> None:
        cluster = FakeCluster(users={"ann": {"a"}})
        keys = {kept: sessions.kept_key(tmp_path / "key") if kept else None for kept in (True, False)}
        for kept, key in keys.items():
            async with served.serving(cluster, session_key=key) as web:
                cookie = await cookie_of(web)
            again = sessions.kept_key(tmp_path / "key") if kept else None
            async with served.serving(cluster, session_key=again) as web:
                assert (await web.ask("GET", "/api/v1/session", headers=cookie)).status == (
                    200 if kept else 401
                )

    served.run(test())


def _readable(path: Path) -> None:
    path.write_bytes(b"x" * sessions.KEY_BYTES)
    path.chmod(0o644)


def _short(path: Path) -> None:
    path.touch(mode=0o600)


def _linked(path: Path) -> None:
    _readable(path.with_name("other"))
    path.with_name("other").chmod(0o600)
    path.symlink_to("other")


@pytest.mark.parametrize("made", [_readable, _short, _linked])
def test_a_key_that_others_may_have_made_or_read_is_refused(
    tmp_path: Path, made: Callable[[Path], None]
) -> None:
    made(tmp_path / "key")
    with pytest.raises((ValueError, OSError)):
        sessions.kept_key(tmp_path / "key")


def test_guessed_tokens_are_slowed_down_and_shut_nobody_else_out() -> None:
    async def test() -> None:
        cluster = a_cluster()
        async with served.serving(cluster) as web:
            assert (await web.ask("GET", ONE, "ann")).status == 200
            await web.ask("POST", "/api/v1/session", json={"token": "ann"})
            guesses = [(await web.ask("GET", ONE, f"guess{number}")).status for number in range(20)]
            assert guesses == [401] * 10 + [429] * 10
            assert (await web.ask("GET", ONE, "ann")).status == 200
        assert sum(token.startswith("guess") for token, *_ in cluster.asked) == 10

    served.run(test())


def test_a_caller_that_asks_too_often_is_slowed_down() -> None:
    now = [0.0]
    bucket = Buckets(1.0, 3.0, clock=lambda: now[0], most_keys=2)
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 1.0]
    now[0] += 1
    assert bucket.take("a") == 0
    logins = Logins(2, clock=lambda: now[0])
    logins.failed("here", "x")
    logins.failed("here", "y")
    assert logins.wait("here", "z") > 0 and logins.wait("there", "z") == 0


def test_on_a_laptop_only_the_url_gets_in() -> None:
    async def own() -> dict[str, str]:
        return {"Authorization": "Bearer ann"}

    async def test() -> None:
        cluster = a_cluster()
        settings: dict[str, Any] = {
            "mode": Mode.LAPTOP,
            "session_token": "right",
            "secure_cookie": False,
            "own": own,
        }
        async with served.serving(cluster, **settings) as web:
            for wrong in (None, "wrong", "ann", ""):
                assert (await web.ask("GET", ONE, wrong)).status == 401
            assert (await web.ask("GET", "/login?token=wrong")).status == 401
            assert cluster.asked == []
            cluster.away = True  # the page opens all the same, and says that the API server is away
            entered = await web.ask("GET", "/login?token=right")
            cluster.away = False
            assert (entered.status, entered.headers["Location"]) == (303, "/")
            cookie = {"Cookie": entered.headers["Set-Cookie"].split(";")[0]}
            assert "right" not in cookie["Cookie"]
            assert (await web.ask("GET", ONE, headers=cookie)).status == 200
        assert {token for token, *_ in cluster.asked} == {"ann"}

    served.run(test())


def test_a_callers_own_headers_do_not_reach_the_api_server() -> None:
    async def test() -> None:
        cluster = a_cluster()
        async with served.serving(cluster) as web:
            forged = {"Impersonate-User": "admin", "X-Forwarded-Access-Token": CANARY}
            assert (await web.ask("GET", ONE, headers=forged)).status == 401
            assert (await web.ask("GET", ONE, "ann", headers=forged)).status == 200
        assert {token for token, *_ in cluster.asked} == {"ann"}

    served.run(test())
