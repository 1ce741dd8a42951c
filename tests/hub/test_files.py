"""Redirects, ranges and signed URLs, asked for byte by byte."""

import time
from urllib.parse import urljoin

import pytest
import urllib3

from dev.origins.content import BLOCK, Synthetic, part, read
from dev.origins.hub import HubServer
from tests.hub.conftest import GOOD, MODEL_SIZE, model

WEIGHTS = Synthetic(MODEL_SIZE, seed=7)


def signed_url(hub: HubServer, http: urllib3.PoolManager) -> str:
    found = http.request("HEAD", f"{hub.url}/org/model/resolve/main/model.bin", redirect=False)
    assert found.status == 302
    return found.headers["Location"]


def test_resolve_of_an_lfs_file_states_commit_size_and_digest(
    hub: HubServer, http: urllib3.PoolManager
) -> None:
    found = http.request("HEAD", f"{hub.url}/org/model/resolve/main/model.bin", redirect=False)
    repository = hub.state.repositories["model", "org/model"]
    file = repository.commits[repository.sha].files["model.bin"]
    assert found.headers["X-Repo-Commit"] == repository.sha
    assert found.headers["X-Linked-Size"] == str(MODEL_SIZE)
    assert found.headers["X-Linked-ETag"] == f'"{file.sha256}"'
    assert found.headers["Location"].startswith(hub.cdn_url)


def test_a_small_file_is_behind_a_relative_redirect(hub: HubServer, http: urllib3.PoolManager) -> None:
    url = f"{hub.url}/org/model/resolve/main/config.json"
    found = http.request("GET", url, redirect=False)
    assert found.status == 307
    assert found.headers["Location"].startswith("/api/resolve-cache/models/org/model/")
    sent = http.request("GET", urljoin(url, found.headers["Location"]))
    assert (sent.status, sent.data) == (200, b"{}")
    assert (
        sent.headers["ETag"] == found.headers["X-Linked-ETag"] == '"9e26dfeeb6e641a33dae4961196235bdb965b21b"'
    )


def test_the_small_files_redirect_still_needs_the_token(hub: HubServer, http: urllib3.PoolManager) -> None:
    url = f"{hub.url}/org/gated/resolve/main/README.md"
    headers = {"Authorization": f"Bearer {GOOD}"}
    location = http.request("GET", url, headers=headers, redirect=False).headers["Location"]
    assert http.request("GET", urljoin(url, location)).status == 401
    assert http.request("GET", urljoin(url, location), headers=headers).data == b"read me"


RANGES = {
    "none": ({}, 200, 0, MODEL_SIZE),
    "middle": ({"Range": "bytes=100-199"}, 206, 100, 200),
    "one byte": ({"Range": "bytes=0-0"}, 206, 0, 1),
    "open": ({"Range": f"bytes={MODEL_SIZE - 5}-"}, 206, MODEL_SIZE - 5, MODEL_SIZE),
    "suffix": ({"Range": "bytes=-7"}, 206, MODEL_SIZE - 7, MODEL_SIZE),
    "past the end": ({"Range": f"bytes=10-{MODEL_SIZE * 2}"}, 206, 10, MODEL_SIZE),
    "after the end": ({"Range": f"bytes={MODEL_SIZE}-"}, 416, 0, 0),
    "reversed": ({"Range": "bytes=20-10"}, 200, 0, MODEL_SIZE),
    "several": ({"Range": "bytes=0-1,5-6"}, 200, 0, MODEL_SIZE),
    "other unit": ({"Range": "lines=0-1"}, 200, 0, MODEL_SIZE),
    "same object": ({"Range": "bytes=5-9", "If-Range": "ETAG"}, 206, 5, 10),
    "other object": ({"Range": "bytes=5-9", "If-Range": '"old"'}, 200, 0, MODEL_SIZE),
    "still that one": ({"Range": "bytes=5-9", "If-Match": "ETAG"}, 206, 5, 10),
    "no more that one": ({"Range": "bytes=5-9", "If-Match": '"old"'}, 412, 0, 0),
    "known already": ({"If-None-Match": "ETAG"}, 304, 0, 0),
}


@pytest.mark.parametrize(("headers", "status", "start", "end"), RANGES.values(), ids=RANGES)
def test_the_cdn_serves_ranges(
    hub: HubServer,
    http: urllib3.PoolManager,
    headers: dict[str, str],
    status: int,
    start: int,
    end: int,
) -> None:
    url = signed_url(hub, http)
    etag = http.request("HEAD", url).headers["ETag"]
    asked = {name: value.replace("ETAG", etag) for name, value in headers.items()}
    found = http.request("GET", url, headers=asked)
    assert found.status == status
    assert found.data == part(WEIGHTS, start, end)
    if status == 206:
        assert found.headers["Content-Range"] == f"bytes {start}-{end - 1}/{MODEL_SIZE}"
    assert hub.bytes_sent("model.bin") == end - start


@pytest.mark.parametrize("change", ["expired", "other path", "no signature"])
def test_a_signed_url_is_good_for_its_path_and_its_time(
    hub: HubServer, http: urllib3.PoolManager, change: str
) -> None:
    if change == "expired":
        hub.state.signer.lifetime = -1
    url = signed_url(hub, http)
    if change == "other path":
        url = url.replace("model.bin", "config.json")
    elif change == "no signature":
        url = url.split("?")[0]
    found = http.request("GET", url)
    assert found.status == 403
    assert b"AccessDenied" in found.data


def test_synthetic_content_is_the_same_however_it_is_cut() -> None:
    content = Synthetic(3 * BLOCK + 11, seed=1)
    whole = read(content)
    assert len(whole) == content.size
    step = BLOCK // 2 + 3
    assert (
        b"".join(part(content, at, min(at + step, content.size)) for at in range(0, content.size, step))
        == whole
    )
    assert part(content, 0, 64) != part(content, 1 << 20, (1 << 20) + 64)


def test_one_port_can_serve_both(http: urllib3.PoolManager) -> None:
    with HubServer(model(), cdn_port=None) as hub:
        url = signed_url(hub, http)
        assert url.startswith(hub.url)
        assert http.request("GET", url).data == read(WEIGHTS)
        assert hub.log.entries(listener="cdn")[0].sent == MODEL_SIZE


def test_stopping_ends_running_downloads(http: urllib3.PoolManager) -> None:
    begun = time.monotonic()
    with HubServer(model(), rate=10_000) as hub:
        found = http.request("GET", signed_url(hub, http), preload_content=False)
        found.read(100)
    assert time.monotonic() - begun < 5
    with pytest.raises(urllib3.exceptions.ProtocolError):
        found.read()
