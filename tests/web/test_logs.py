"""The last lines of a worker's log through the REST API: whose rights, how much, and what hostile ones do."""

import itertools
from typing import Any

import pytest

from modelsync.web.routes import logs
from tests.web import served
from tests.web.fake_cluster import FakeCluster, a_sync

LOGS = "/api/v1/namespaces/a/modelsyncs/llama/logs"
LINES = b"".join(b"line %d\n" % number for number in range(1, 501))


def a_cluster(**pod: Any) -> FakeCluster:
    """A ModelSync whose one worker has the log; bob may read ModelSyncs and no Pods."""
    cluster = FakeCluster(users={"ann": {"a"}, "bob": {"a"}, "cid": {"b"}})
    cluster.put(a_sync("a", "llama", "Downloading"))
    cluster.pods.readers = {"ann", "cid"}
    if pod:
        cluster.pods.put(name="llama-1-x", sync="llama", **pod)
    return cluster


def answer_of(
    cluster: FakeCluster, query: str = "", token: str = "ann", seconds: float = 10.0
) -> served.Answer:
    found: list[served.Answer] = []

    async def test() -> None:
        async with served.serving(cluster, upstream_seconds=seconds) as web:
            found.append(await web.ask("GET", LOGS + query, token))

    served.run(test())
    return found[0]


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [("", "line 401", 100), ("?lines=3", "line 498", 3), ("?lines=1000", "line 1", 500)],
)
def test_the_last_lines_are_read_with_the_callers_token(query: str, first: str, count: int) -> None:
    cluster = a_cluster(log=LINES)
    found = answer_of(cluster, query)
    assert (found.status, found.json["pod"], found.json["cut"]) == (200, "llama-1-x", False)
    assert (found.json["lines"][0], found.json["lines"][-1], len(found.json["lines"])) == (
        first,
        "line 500",
        count,
    )
    assert {token for token, *_ in cluster.asked} == {"ann"}


@pytest.mark.parametrize(
    ("named", "want"), [(None, "llama-2-x"), ("llama-1-x", "llama-1-x"), ("gone", "llama-2-x")]
)
def test_it_is_that_of_the_worker_that_the_status_names_else_of_the_newest(
    named: str | None, want: str
) -> None:
    cluster = a_cluster(log=b"first\n")
    cluster.pods.put(name="llama-2-x", sync="llama", created="2026-03-14T13:00:00Z")
    cluster.pods.put(name="other-1-x", sync="other", created="2026-03-14T14:00:00Z")
    if named is not None:
        sync = a_sync("a", "llama", "Downloading")
        sync["status"]["worker"] = {"podName": named}
        cluster.put(sync)
    found = answer_of(cluster)
    assert found.json["pod"] == want
    assert found.json["lines"] == (["first"] if want == "llama-1-x" else [])


@pytest.mark.parametrize(
    ("token", "pod", "status", "reason", "says"),
    [
        pytest.param("bob", {"log": b"x"}, 403, "AccessDenied", "cannot list resource", id="no Pods"),
        pytest.param("cid", {"log": b"x"}, 403, "AccessDenied", "cannot list", id="no ModelSync"),
        pytest.param("eve", {"log": b"x"}, 401, "AuthenticationFailed", "", id="nobody"),
        pytest.param("ann", {}, 404, "NotFound", "No worker of this", id="no Pod"),
        pytest.param("ann", {"log": None}, 404, "NotFound", "is waiting to start", id="not started"),
    ],
)  # fmt: skip
def test_a_log_that_cannot_be_shown_is_a_problem_that_says_why(
    token: str, pod: dict[str, Any], status: int, reason: str, says: str
) -> None:
    found = answer_of(a_cluster(**pod), token=token)
    assert (found.status, found.json["reason"]) == (status, reason)
    assert says in found.json.get("detail", "")


@pytest.mark.parametrize("query", ["?lines=0", "?lines=-1", "?lines=1001", "?lines=all", "?lines=1e2"])
def test_how_many_lines_is_a_number_within_bounds(query: str) -> None:
    cluster = a_cluster(log=LINES)
    assert answer_of(cluster, query).json["errors"][0]["field"] == "query.lines"
    assert cluster.asked == []


@pytest.mark.parametrize(
    ("log", "lines"),
    [
        pytest.param(b"\x1b[2J\x1b]0;title\x07 a\n", ["�[2J�]0;title� a"], id="a terminal's commands"),
        pytest.param(b"10%\r20%\r\n", ["10% 20% "], id="carriage returns"),
        pytest.param("\u202egnp.exe\u2066\n".encode(), ["�gnp.exe�"], id="marks of direction"),
        pytest.param(b"\xff\xfe\x00\n", ["���"], id="no text"),
        pytest.param("one\u2028two\x85three\n".encode(), ["one two three"], id="other line breaks"),
        pytest.param(b"<script>alert(1)</script>\n", ["<script>alert(1)</script>"], id="markup stays text"),
        pytest.param(b"no end", ["no end"], id="a last line without an end"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"\n\n", ["", ""], id="empty lines"),
    ],
)
def test_each_line_is_one_printable_line(log: bytes, lines: list[str]) -> None:
    found = answer_of(a_cluster(log=log))
    assert found.headers["Content-Type"] == "application/json"
    assert found.json["lines"] == lines


def test_of_very_long_lines_the_newest_is_shown_and_said_to_be_cut() -> None:
    log = b"".join(bytes([ord("a") + number % 26]) * 200_000 + b"\n" for number in range(20))
    found = answer_of(a_cluster(log=log)).json
    assert found["cut"] is True
    assert [line[:3] for line in found["lines"]] == ["ttt"]
    assert all(len(line) <= 4096 for line in found["lines"])


MEGABYTE = b"x" * 1_000_000
FLOODS = {
    "100 MB in one line": lambda: itertools.repeat(MEGABYTE, 100),
    "100 MB of empty lines": lambda: itertools.repeat(b"\n" * 1_000_000, 100),
    "one that never ends": lambda: itertools.repeat(MEGABYTE),
}


@pytest.mark.parametrize("case", FLOODS)
def test_a_log_without_bounds_is_read_as_far_as_was_asked_for(case: str) -> None:
    cluster = a_cluster(flood=FLOODS[case]())
    found = answer_of(cluster)
    assert (found.status, found.json["cut"]) == (200, True)
    assert len(found.text) <= 6 * logs.MOST_BYTES
    requests = sum("/log?" in path for *_, path in cluster.asked)
    assert cluster.pods.there[0].sent <= requests * 20_000_000, "the rest was not taken in"


def test_a_log_that_stands_still_ends_with_the_time_that_a_request_has() -> None:
    found = answer_of(a_cluster(flood=[b"a line\n"]), seconds=0.5)
    assert (found.status, found.json["reason"]) == (503, "APIServerUnavailable")
