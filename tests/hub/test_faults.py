"""Faults strike where, when and as often as they were asked for."""

import json

import pytest
import urllib3

from dev.origins.content import part, read
from dev.origins.faults import ALWAYS, ANY, Cut, EtagSwap, Fault, Header, Invert, Reset, Stall, Status, Whole
from dev.origins.faults.rules import parse
from dev.origins.faults.vocabulary import BY_NAME
from dev.origins.hub import HubServer
from tests.hub.conftest import MODEL_SIZE
from tests.hub.test_files import WEIGHTS, signed_url


def fetch(http: urllib3.PoolManager, url: str, **headers: str) -> tuple[int, bytes]:
    """Status and the bytes that arrived, be they too few."""
    found = http.request("GET", url, headers=headers, preload_content=False)
    body = b""
    try:
        while block := found.read1(65536):
            body += block
    except urllib3.exceptions.ProtocolError:
        pass
    finally:
        found.close()
    return found.status, body


@pytest.mark.parametrize("after", [0, 1, 1_000_001])
def test_a_cut_lets_exactly_so_many_bytes_through_so_often(
    hub: HubServer, http: urllib3.PoolManager, after: int
) -> None:
    hub.strike("*.bin", Cut(after), times=2)
    url = signed_url(hub, http)
    for length in (after, after, MODEL_SIZE):
        _, body = fetch(http, url)
        assert len(body) == length
        assert body == part(WEIGHTS, 0, length)
    assert [entry.sent for entry in hub.log.entries(listener="cdn")] == [after, after, MODEL_SIZE]


@pytest.mark.parametrize("times", [ALWAYS, 1])
def test_a_stall_holds_an_answer_until_faults_are_cleared(
    hub: HubServer, http: urllib3.PoolManager, times: int
) -> None:
    hub.strike("*", Stall(1000), times=times)
    found = http.request("GET", signed_url(hub, http), preload_content=False, timeout=2)
    assert len(found.read(1000)) == 1000
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        found.read(1)
    held = http.request("GET", signed_url(hub, http), preload_content=False, timeout=5)
    hub.clear()
    assert held.read() == read(WEIGHTS)


def test_a_cut_can_be_a_reset(hub: HubServer, http: urllib3.PoolManager) -> None:
    hub.strike("*", Reset(100_000))
    found = http.request("GET", signed_url(hub, http), preload_content=False)
    with pytest.raises(urllib3.exceptions.ProtocolError, match="reset"):
        while found.read1(65536):
            pass


@pytest.mark.parametrize(
    "faults",
    [(Status(429), Header("Retry-After", "1")), (Status(503),)],
    ids=["too many requests", "unavailable"],
)
def test_refusals_come_in_bursts(
    hub: HubServer, http: urllib3.PoolManager, faults: tuple[Fault, ...]
) -> None:
    hub.strike("*", *faults, role=ANY, times=2)
    url = f"{hub.url}/api/models/org/model"
    answers = [http.request("GET", url) for _ in range(3)]
    refusal, seconds = (429, "1") if len(faults) > 1 else (503, None)
    assert [answer.status for answer in answers] == [refusal, refusal, 200]
    assert answers[0].headers.get("Retry-After") == seconds


def test_a_refusal_can_be_of_one_server_and_path(hub: HubServer, http: urllib3.PoolManager) -> None:
    hub.strike("model.bin", Status(503), role=ANY, listener="cdn", times=ALWAYS)
    hub.strike("/api/*/tree/*", Status(500), role=ANY, times=ALWAYS)
    assert http.request("GET", signed_url(hub, http)).status == 503
    assert http.request("GET", f"{hub.url}/api/models/org/model").status == 200
    assert http.request("GET", f"{hub.url}/api/models/org/model/tree/main").status == 500


def test_swapped_content_has_the_same_size_and_etag(hub: HubServer, http: urllib3.PoolManager) -> None:
    url = signed_url(hub, http)
    whole = http.request("GET", url)
    hub.strike("*.bin", Invert(1000), times=ALWAYS)
    swapped = http.request("GET", url)
    assert swapped.headers["ETag"] == whole.headers["ETag"]
    assert len(swapped.data) == MODEL_SIZE
    assert swapped.data[:1000] == whole.data[:1000]
    assert all(one != other for one, other in zip(swapped.data[1000:], whole.data[1000:], strict=True))


def test_a_replaced_object_answers_if_range_with_the_whole(hub: HubServer, http: urllib3.PoolManager) -> None:
    url = signed_url(hub, http)
    etag = http.request("HEAD", url).headers["ETag"]
    hub.strike("*.bin", EtagSwap("changed"), times=ALWAYS)
    status, body = fetch(http, url, **{"Range": "bytes=10-19", "If-Range": etag})
    assert (status, len(body)) == (200, MODEL_SIZE)


def test_ranges_can_be_ignored(hub: HubServer, http: urllib3.PoolManager) -> None:
    hub.strike("*", Whole())
    url = signed_url(hub, http)
    assert fetch(http, url, Range="bytes=10-19") == (200, read(WEIGHTS))
    assert fetch(http, url, Range="bytes=10-19") == (206, part(WEIGHTS, 10, 20))


def test_faults_are_set_over_http_and_survive_the_round_trip(
    hub: HubServer, http: urllib3.PoolManager
) -> None:
    for name in BY_NAME:
        document = {"path": "*.bin", "faults": [f"{name}x3"]}
        assert http.request("POST", f"{hub.url}/-/faults", body=json.dumps(document)).status == 204
    found = http.request("GET", f"{hub.url}/-/faults").json()
    assert [(fault["path"], fault["faults"]) for fault in found] == [
        ("*.bin", [f"{name}x3"]) for name in BY_NAME
    ]
    assert [parse(text, "*.bin") for fault in found for text in fault["faults"]] == hub.rules.in_force()
    http.request("DELETE", f"{hub.url}/-/faults")
    assert http.request("GET", f"{hub.url}/-/faults").json() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"faults": ["explode"]}', "no such fault: explode; give one of cut, reset"),
        ('{"faults": ["cut=far"]}', "cut"),
        ('{"faults": ["cut"], "afer": 1}', "give "),
        ('{"path": "*.bin"}', "faults: give a list"),
        ("[]", "give a JSON object"),
        ("{", "give a JSON object"),
    ],
    ids=["unknown fault", "bad value", "unknown field", "no faults", "no object", "no JSON"],
)
def test_a_bad_fault_is_refused_with_the_fix(
    hub: HubServer, http: urllib3.PoolManager, body: str, message: str
) -> None:
    found = http.request("POST", f"{hub.url}/-/faults", body=body)
    assert found.status == 400
    assert message in found.data.decode()
