"""Xet as a client reads it: terms of xorbs, their serialized form, and who gets a token."""

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from dev.origins.content import part, read
from dev.origins.faults import ALWAYS, Invert
from dev.origins.hub import HubServer, Repository, Synthetic
from dev.origins.hub.xorbs import CHUNK, HEADER, XORB, Term, Xorb, terms
from tests.hub.conftest import GOOD, OUTSIDER

SIZE = 3 * CHUNK + 17
BODY = Synthetic(SIZE, seed=4)
WHOLE = read(BODY)
Json = dict[str, Any]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    files: dict[str, bytes | Synthetic] = {"model.bin": BODY, "config.json": b"{}"}
    repositories = (
        Repository("org/xet", files, xet=True),
        Repository("org/gated", {"model.bin": BODY}, xet=True, gated=True),
        Repository("org/plain", {"model.bin": BODY}),
    )
    with HubServer(*repositories, tokens={GOOD: None, OUTSIDER: []}) as server:
        yield server


def resolved(hub: HubServer, http: urllib3.PoolManager, path: str) -> Any:
    """The headers of `resolve`."""
    return http.request("HEAD", f"{hub.url}/{path}", redirect=False).headers


def token(hub: HubServer, http: urllib3.PoolManager, repository: str, given: str | None = None) -> Any:
    """The answer of the token's route."""
    sha = hub.state.repositories["model", repository].sha
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    return http.request("GET", f"{hub.url}/api/models/{repository}/xet-read-token/{sha}", headers=headers)


def unpacked(stored: bytes) -> bytes:
    """The data of serialized chunks."""
    found, offset = b"", 0
    while offset < len(stored):
        length = int.from_bytes(stored[offset + 1 : offset + 4], "little")
        assert stored[offset] == stored[offset + 4] == 0
        assert int.from_bytes(stored[offset + 5 : offset + 8], "little") == length <= CHUNK
        found += stored[offset + HEADER : offset + HEADER + length]
        offset += HEADER + length
    return found


RANGES = {
    "one byte": (1, 0, 1),
    "all of a chunk": (CHUNK, 0, CHUNK),
    "a chunk and a byte": (CHUNK + 1, 0, CHUNK + 1),
    "the middle": (5 * CHUNK, CHUNK + 5, 3 * CHUNK - 5),
    "over a xorb's end": (XORB + 3 * CHUNK + 9, XORB - CHUNK - 1, XORB + 2 * CHUNK + 1),
    "beyond the end": (CHUNK + 7, CHUNK + 1, 10 * CHUNK),
}


@pytest.mark.parametrize(("size", "start", "end"), RANGES.values(), ids=RANGES)
def test_terms_hold_exactly_the_chunks_of_a_range(size: int, start: int, end: int) -> None:
    body = Synthetic(size, seed=9)

    def data(term: Term) -> bytes:
        first, last = term.stored
        xorb = Xorb(original=body, number=term.number)
        stored = part(xorb, first, last + 1)
        found = unpacked(stored)
        assert len(found) == term.length <= (term.end - term.first) * CHUNK
        return found

    found = b"".join(map(data, terms(size, start, end)))
    assert found[start % CHUNK :][: end - start] == part(body, start, min(end, size))
    assert len(found) < end - start + 2 * CHUNK


def test_a_xorb_is_the_same_however_it_is_cut() -> None:
    xorb = Xorb(original=BODY, number=0)
    whole = read(xorb)
    assert len(whole) == xorb.size
    assert unpacked(whole) == WHOLE
    step = CHUNK // 3 + 1
    assert b"".join(part(xorb, at, min(at + step, xorb.size)) for at in range(0, xorb.size, step)) == whole


def fetched(document: Json, http: urllib3.PoolManager) -> bytes:
    """A file of the second version's document, from its first term on."""
    found = b""
    for term in document["terms"]:
        (fetch,) = document["xorbs"][term["hash"]]
        (span,) = fetch["ranges"]
        assert span["chunks"] == term["range"]
        header = {"Range": f"bytes={span['bytes']['start']}-{span['bytes']['end']}"}
        answer = http.request("GET", fetch["url"], headers=header)
        assert answer.status == 206
        found += unpacked(answer.data)
    return found


@pytest.mark.parametrize("range_header", [None, f"bytes=5-{CHUNK + 10}"])
def test_a_token_of_the_hub_leads_to_the_bytes(
    hub: HubServer, http: urllib3.PoolManager, range_header: str | None
) -> None:
    name = resolved(hub, http, "org/xet/resolve/main/model.bin")["X-Xet-Hash"]
    given = token(hub, http, "org/xet").json()
    headers = {"Authorization": f"Bearer {given['accessToken']}"}
    headers |= {"Range": range_header} if range_header else {}
    url = f"{given['casUrl']}/v2/reconstructions/{name}"
    document = http.request("GET", url, headers=headers).json()
    found = fetched(document, http)[document["offset_into_first_range"] :]
    assert (found == WHOLE) if range_header is None else found.startswith(WHOLE[5 : CHUNK + 11])
    assert {entry.authorization for entry in hub.log.entries(path="model.bin", listener="cas")} == {""}
    first = http.request("GET", url.replace("/v2/", "/v1/"), headers=headers).json()
    assert first["terms"] == document["terms"]
    ((name, (second,)),) = document["xorbs"].items()
    assert [(each["range"], each["url_range"]) for each in first["fetch_info"][name]] == [
        (each["chunks"], each["bytes"]) for each in second["ranges"]
    ]


def test_only_large_files_of_a_xet_repository_are_offered(hub: HubServer, http: urllib3.PoolManager) -> None:
    offered = resolved(hub, http, "org/xet/resolve/main/model.bin")
    assert 'rel="xet-auth"' in offered["Link"]
    assert "X-Xet-Hash" not in resolved(hub, http, "org/xet/resolve/main/config.json")
    assert "X-Xet-Hash" not in resolved(hub, http, "org/plain/resolve/main/model.bin")
    entries = http.request("GET", f"{hub.url}/api/models/org/xet/tree/main").json()
    assert [entry.get("xetHash") for entry in entries] == [None, offered["X-Xet-Hash"]]
    assert token(hub, http, "org/plain").status == 404


@pytest.mark.parametrize(("given", "status"), [(None, 401), (OUTSIDER, 403), (GOOD, 200)])
def test_a_gated_repositorys_token_is_for_those_who_may_read_it(
    hub: HubServer, http: urllib3.PoolManager, given: str | None, status: int
) -> None:
    assert token(hub, http, "org/gated", given).status == status


def test_the_cas_takes_its_own_tokens_only_and_each_for_its_repository(
    hub: HubServer, http: urllib3.PoolManager
) -> None:
    name = resolved(hub, http, "org/xet/resolve/main/model.bin")["X-Xet-Hash"]
    own = token(hub, http, "org/xet").json()["accessToken"]
    for given in ("", GOOD, own.replace("org/xet", "org/gated")):
        headers = {"Authorization": f"Bearer {given}"}
        assert http.request("GET", f"{hub.cas_url}/v2/reconstructions/{name}", headers=headers).status == 401
    headers = {"Authorization": f"Bearer {own}"}
    unknown = f"{hub.cas_url}/v2/reconstructions/{'0' * 64}"
    assert http.request("GET", unknown, headers=headers).status == 404
    beyond = {**headers, "Range": f"bytes={SIZE}-"}
    assert http.request("GET", f"{hub.cas_url}/v2/reconstructions/{name}", headers=beyond).status == 416


def xorb_url(hub: HubServer, http: urllib3.PoolManager) -> str:
    name = resolved(hub, http, "org/xet/resolve/main/model.bin")["X-Xet-Hash"]
    headers = {"Authorization": f"Bearer {token(hub, http, 'org/xet').json()['accessToken']}"}
    found = http.request("GET", f"{hub.cas_url}/v2/reconstructions/{name}", headers=headers).json()
    ((fetch,),) = found["xorbs"].values()
    return str(fetch["url"])


def test_a_swap_damages_the_data_in_a_form_that_stays_right(
    hub: HubServer, http: urllib3.PoolManager
) -> None:
    hub.strike("model.bin", Invert(), listener="cas", times=ALWAYS)
    found = unpacked(http.request("GET", xorb_url(hub, http)).data)
    assert found == bytes(value ^ 0xFF for value in WHOLE)


def test_a_changed_url_opens_nothing(hub: HubServer, http: urllib3.PoolManager) -> None:
    url = xorb_url(hub, http)
    assert http.request("GET", url.replace("/0/model.bin", "/1/model.bin")).status == 403
    hub.state.signer.lifetime = -1
    assert http.request("GET", url.split("?", maxsplit=1)[0]).status == 403


def test_one_port_can_serve_xet_too(http: urllib3.PoolManager) -> None:
    with HubServer(Repository("org/xet", {"model.bin": BODY}, xet=True), cas_port=None) as hub:
        assert hub.cas_url == hub.url != hub.cdn_url
        assert unpacked(http.request("GET", xorb_url(hub, http)).data) == WHOLE
        assert [entry.listener for entry in hub.log.entries()] == ["hub", "hub", "cas", "cas"]
