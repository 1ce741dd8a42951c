"""Faults strike where, when and as often as they were asked for."""

import json

import pytest
import urllib3

from dev.origins.hub import ChangeETag, Cut, HubServer, IgnoreRange, Refuse, Stall, Swap, faults
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
    hub.faults.add(Cut(path="*.bin", after=after, times=2))
    url = signed_url(hub, http)
    for length in (after, after, MODEL_SIZE):
        _, body = fetch(http, url)
        assert len(body) == length
        assert body == WEIGHTS.read(0, length)
    assert [entry.sent for entry in hub.log.entries(server="cdn")] == [after, after, MODEL_SIZE]


@pytest.mark.parametrize("times", [None, 1])
def test_a_stall_holds_an_answer_until_faults_are_cleared(
    hub: HubServer, http: urllib3.PoolManager, times: int | None
) -> None:
    hub.faults.add(Stall(after=1000, times=times))
    found = http.request("GET", signed_url(hub, http), preload_content=False, timeout=0.5)
    assert len(found.read(1000)) == 1000
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        found.read(1)
    held = http.request("GET", signed_url(hub, http), preload_content=False, timeout=5)
    hub.faults.clear()
    assert held.read() == WEIGHTS.read(0, MODEL_SIZE)


def test_a_cut_can_be_a_reset(hub: HubServer, http: urllib3.PoolManager) -> None:
    hub.faults.add(Cut(after=100_000, times=1, reset=True))
    found = http.request("GET", signed_url(hub, http), preload_content=False)
    with pytest.raises(urllib3.exceptions.ProtocolError, match="reset"):
        while found.read1(65536):
            pass


@pytest.mark.parametrize(
    "fault",
    [Refuse(status=429, retry_after="1", times=2), Refuse(status=503, times=2)],
    ids=["too many requests", "unavailable"],
)
def test_refusals_come_in_bursts(hub: HubServer, http: urllib3.PoolManager, fault: Refuse) -> None:
    hub.faults.add(fault)
    url = f"{hub.url}/api/models/org/model"
    answers = [http.request("GET", url) for _ in range(3)]
    assert [answer.status for answer in answers] == [fault.status, fault.status, 200]
    assert answers[0].headers.get("Retry-After") == fault.retry_after


def test_a_refusal_can_be_of_one_server_and_path(hub: HubServer, http: urllib3.PoolManager) -> None:
    hub.faults.add(Refuse(path="model.bin", server="cdn", status=503))
    hub.faults.add(Refuse(path="/api/*/tree/*", status=500))
    assert http.request("GET", signed_url(hub, http)).status == 503
    assert http.request("GET", f"{hub.url}/api/models/org/model").status == 200
    assert http.request("GET", f"{hub.url}/api/models/org/model/tree/main").status == 500


def test_swapped_content_has_the_same_size_and_etag(hub: HubServer, http: urllib3.PoolManager) -> None:
    url = signed_url(hub, http)
    whole = http.request("GET", url)
    hub.faults.add(Swap(path="*.bin", start=1000))
    swapped = http.request("GET", url)
    assert swapped.headers["ETag"] == whole.headers["ETag"]
    assert len(swapped.data) == MODEL_SIZE
    assert swapped.data[:1000] == whole.data[:1000]
    assert all(one != other for one, other in zip(swapped.data[1000:], whole.data[1000:], strict=True))


def test_a_replaced_object_answers_if_range_with_the_whole(hub: HubServer, http: urllib3.PoolManager) -> None:
    url = signed_url(hub, http)
    etag = http.request("HEAD", url).headers["ETag"]
    hub.faults.add(ChangeETag(path="*.bin"))
    status, body = fetch(http, url, **{"Range": "bytes=10-19", "If-Range": etag})
    assert (status, len(body)) == (200, MODEL_SIZE)


def test_ranges_can_be_ignored(hub: HubServer, http: urllib3.PoolManager) -> None:
    hub.faults.add(IgnoreRange(times=1))
    url = signed_url(hub, http)
    assert fetch(http, url, Range="bytes=10-19") == (200, WEIGHTS.read(0, MODEL_SIZE))
    assert fetch(http, url, Range="bytes=10-19") == (206, WEIGHTS.read(10, 10))


def test_faults_are_set_over_http_and_survive_the_round_trip(
    hub: HubServer, http: urllib3.PoolManager
) -> None:
    wanted = [{"kind": kind, "path": "*.bin", "times": 3} for kind in faults.KINDS]
    for document in wanted:
        assert http.request("POST", f"{hub.url}/-/faults", body=json.dumps(document)).status == 204
    found = http.request("GET", f"{hub.url}/-/faults").json()
    assert [fault["kind"] for fault in found] == list(faults.KINDS)
    assert [faults.from_json(fault) for fault in found] == [faults.from_json(fault) for fault in wanted]
    http.request("DELETE", f"{hub.url}/-/faults")
    assert http.request("GET", f"{hub.url}/-/faults").json() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"kind": "Explode"}', "give one of Refuse"),
        ('{"kind": "Cut", "afer": 1}', "Cut: "),
        ("[]", "give a JSON object"),
        ("{", "give a JSON object"),
    ],
    ids=["unknown kind", "unknown field", "no object", "no JSON"],
)
def test_a_bad_fault_is_told(hub: HubServer, http: urllib3.PoolManager, body: str, message: str) -> None:
    found = http.request("POST", f"{hub.url}/-/faults", body=body)
    assert found.status == 400
    assert message in found.data.decode()
