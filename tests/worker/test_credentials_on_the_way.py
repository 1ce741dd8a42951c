"""A token reaches its own origin and nobody else, along every redirect."""

from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.faults import ALWAYS, Header, Redirect, Status
from dev.origins.files.web import WebOrigin
from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Request
from modelsync.worker.http import client, urls
from modelsync.worker.http.connector import Network
from tests.worker.syncs import CHUNK, ListSource, Sync, listed

SECRET = {"Authorization": "Bearer canary"}
BIG = noise(3 * CHUNK)


def test_a_token_stops_at_a_redirect_to_another_origin(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG}) as hub, WebOrigin({"cdn/model.bin": BIG}) as cdn:
        location = f"{cdn.url}/cdn/model.bin?signature=canary-url"
        hub.strike("*", Redirect(location), times=ALWAYS)
        source = ListSource(hub.url, [listed("model.bin", BIG)], headers=SECRET)
        Sync(hub, tmp_path, source=source, connections=2).run()
        assert all(asked.authorization == "Bearer canary" for asked in hub.log)
        assert len(cdn.log) == 3 and not any(asked.authorization for asked in cdn.log)
        assert 1 <= len(hub.log) <= 2  # the address behind the redirect is kept for further ranges


def test_a_token_goes_along_within_its_origin(tmp_path: Path) -> None:
    with WebOrigin({"model.bin": BIG, "moved": BIG}) as hub:
        hub.strike("model.bin", Status(307), Header("Location", "/moved"), times=ALWAYS)
        source = ListSource(hub.url, [listed("model.bin", BIG)], headers=SECRET)
        Sync(hub, tmp_path, source=source).run()
        assert all(asked.authorization for asked in hub.log)


HOPS = {
    "same origin": ("https://hub.example/a", "/b", True),
    "same origin, explicit port": ("https://hub.example/a", "https://hub.example:443/b", True),
    "same origin, other case": ("https://hub.example/a", "https://HUB.example/b", True),
    "another host": ("https://hub.example/a", "https://cdn.example/b", False),
    "a subdomain": ("https://hub.example/a", "https://x.hub.example/b", False),
    "another port": ("https://hub.example/a", "https://hub.example:8443/b", False),
    "no scheme": ("https://hub.example/a", "//cdn.example/b", False),
    "upgrade": ("http://hub.example/a", "https://hub.example/b", False),
}


@pytest.mark.parametrize(("url", "location", "kept"), HOPS.values(), ids=HOPS.keys())
def test_headers_stay_with_their_exact_origin(url: str, location: str, kept: bool) -> None:
    found = client.following(Request(url=url, headers=SECRET), location)
    assert dict(found.headers) == (SECRET if kept else {})


REFUSED = [
    "http://hub.example/b",
    "file:///etc/passwd",
    "ftp://hub.example/b",
    "https://[::1/b",
]


@pytest.mark.parametrize("location", REFUSED)
def test_a_redirect_to_less_safety_is_refused(location: str) -> None:
    with pytest.raises(Failure) as caught:
        client.following(Request(url="https://hub.example/a?token=canary", headers=SECRET), location)
    assert caught.value.reason is Reason.ORIGIN_ERROR
    assert "canary" not in caught.value.message


def test_neither_request_nor_network_shows_its_secrets() -> None:
    request = Request(url="https://hub.example/a?signature=canary", headers=SECRET)
    network = Network(proxies={"https": "http://user:canary@proxy:3128"})
    assert "canary" not in f"{request!r} {network!r}"
    assert (
        urls.shown("https://user:canary@hub.example:8443/a?b=canary#canary") == "https://hub.example:8443/a"
    )


def test_a_proxy_is_used_with_its_password_and_passed_by_for_its_exceptions() -> None:
    with (
        WebOrigin({"model.bin": b"direct"}) as origin,
        WebOrigin({"model.bin": b"by way of the proxy"}) as proxy,
    ):
        address = proxy.url.replace("//", "//user:pass@")
        network = client.Transport(Network(proxies={"http": address, "no": "127.0.0.1"}))
        far = network.get(Request(url="http://far.example/model.bin", headers=SECRET), {})
        near = network.get(Request(url=f"{origin.url}/model.bin"), {})
        assert (far.response.read(), near.response.read()) == (b"by way of the proxy", b"direct")
        network.close()
        assert proxy.log.entries()[0].request.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
        assert "proxy-authorization" not in origin.log.entries()[0].request.headers
