"""Lists of URLs: sizes and ETags from real servers, credentials to https alone, and a reason for each
refusal."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins.content import Synthetic
from dev.origins.faults import ALWAYS, Header, Status, WeakEtag
from dev.origins.files.web import WebOrigin
from dev.origins.programs import nginx
from dev.origins.serving.messages import Object, Role
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import HttpFile, HttpSource
from modelsync.api.source.transfer import Resolved
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, RemoteFile
from modelsync.worker.http.connector import Network
from modelsync.worker.sources.credentials import Credentials, Given, Hidden
from modelsync.worker.sources.http import WebSource

BODY = bytes(range(256)) * 100
SHA256 = "ab" * 32
NONE = Given(where="spec.source.http.secretRef")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[nginx.Nginx]:
    with nginx.running(tmp_path) as server:
        server.put({"a.bin": BODY, "empty": b"", "private/b.bin": BODY})
        yield server


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[nginx.Nginx]:
    with nginx.running(tmp_path, tls=True) as server:
        server.put({"private/b.bin": BODY})
        yield server


def basic(server: nginx.Nginx, password: str | None = None) -> Credentials:
    values = {"username": server.user, "password": password or server.password}
    hidden = {key: Hidden(value) for key, value in values.items()}
    return Given(where="the Secret web (spec.source.http.secretRef)", values=hidden)


def source(*files: HttpFile, credentials: Credentials = NONE, network: Network | None = None) -> WebSource:
    network = network or Network(timeout_seconds=2.0)
    return WebSource(HttpSource(files=files), credentials, network, threading.Event())


def file(url: str, path: str = "f", size: int | None = None, sha256: str | None = None) -> HttpFile:
    return HttpFile(url=url, path=path, size=size, sha256=sha256)


def only(opened: WebSource) -> RemoteFile:
    (found,) = opened.resolve(None).files
    return found


def test_size_and_etag_are_the_servers_and_paths_the_users(web: nginx.Nginx) -> None:
    opened = source(file(f"{web.url}/a.bin", "deep/a.bin"), file(f"{web.url}/moved/empty", "empty"))
    found = {each.path: each for each in opened.resolve(None).files}
    assert found["deep/a.bin"].size == len(BODY)
    assert found["deep/a.bin"].etag
    assert found["empty"].size == 0
    assert opened.request(found["empty"]).url == f"{web.url}/moved/empty"
    assert web.bytes_sent() == 1


def test_what_the_user_pinned_is_not_asked_for() -> None:
    found = only(source(file("http://no-such-host.invalid/a", size=5, sha256=SHA256)))
    assert (found.size, found.digests) == (5, (Digest(algorithm="sha256", value=SHA256),))


def test_a_changed_file_is_reported(web: nginx.Nginx) -> None:
    listed = file(f"{web.url}/a.bin")
    pinned = Resolved(revision=source(listed).resolve(None).revision)
    source(listed).resolve(pinned)
    web.put({"a.bin": BODY + b"more"})
    with pytest.raises(Failure) as caught:
        source(listed).resolve(pinned)
    assert caught.value.reason is Reason.SOURCE_CHANGED


def test_credentials_open_a_file_over_https(tls: nginx.Nginx) -> None:
    network = Network(ca_file=str(tls.authority))
    opened = source(file(f"{tls.url}/private/b.bin"), credentials=basic(tls), network=network)
    found = only(opened)
    assert found.size == len(BODY)
    assert opened.request(found).headers["Authorization"].startswith("Basic ")


def test_credentials_never_go_to_a_plain_url(web: nginx.Nginx) -> None:
    pinned = file("https://no-such-host.invalid/x", "x", size=1, sha256=SHA256)
    opened = source(pinned, file(f"{web.url}/a.bin", "a"), credentials=basic(web))
    found = {each.path: each for each in opened.resolve(None).files}
    assert opened.request(found["a"]).headers == {}
    assert "Authorization" in opened.request(found["x"]).headers


def test_credentials_without_any_https_url_are_refused(web: nginx.Nginx) -> None:
    with pytest.raises(Failure, match="https:// URLs only") as caught:
        source(file(f"{web.url}/a.bin"), credentials=basic(web)).resolve(None)
    assert caught.value.reason is Reason.INVALID_SPEC


def test_a_wrong_password_names_the_secret(tls: nginx.Nginx) -> None:
    network = Network(ca_file=str(tls.authority))
    opened = source(file(f"{tls.url}/private/b.bin"), credentials=basic(tls, "canary"), network=network)
    with pytest.raises(Failure, match="the Secret web") as caught:
        opened.resolve(None)
    assert caught.value.reason is Reason.AUTHENTICATION_FAILED
    assert "canary" not in caught.value.message


def test_an_unknown_authority_is_reported_with_its_fix(tls: nginx.Nginx) -> None:
    with pytest.raises(Failure, match=r"worker\.caConfigMap") as caught:
        source(file(f"{tls.url}/private/b.bin")).resolve(None)
    assert caught.value.reason is Reason.NETWORK_ERROR


REFUSED = {
    "no such file": ("none.bin?token=canary", None, Reason.NOT_FOUND, "/none.bin (HTTP 404)"),
    "closed": ("private/b.bin", None, Reason.AUTHENTICATION_FAILED, "spec.source.http.secretRef"),
    "another size": ("a.bin", 5, Reason.SIZE_MISMATCH, "files[].size says 5"),
}


@pytest.mark.parametrize(("path", "size", "reason", "says"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_its_reason_and_the_fix(
    web: nginx.Nginx, path: str, size: int | None, reason: Reason, says: str
) -> None:
    with pytest.raises(Failure) as caught:
        source(file(f"{web.url}/{path}", size=size)).resolve(None)
    assert caught.value.reason is reason
    assert says in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("org/name", "repository org/name, revision main"),
        ("org/name/blob/v1/a.bin", "repository org/name, revision v1, spec.allowPatterns a.bin"),
        ("datasets/org/name/tree/main/data", "hf://datasets/org/name: "),
    ],
)
def test_a_page_of_the_hub_is_answered_with_the_source_that_it_means(path: str, says: str) -> None:
    with pytest.raises(Failure, match=r"spec\.source\.huggingFace") as caught:
        source(file(f"https://huggingface.co/{path}", size=5, sha256=SHA256)).resolve(None)
    assert caught.value.reason is Reason.INVALID_SPEC
    assert says in caught.value.message


@pytest.fixture
def stubborn() -> Iterator[WebOrigin]:
    """A server that allows no HEAD."""
    files: dict[str, bytes | Object] = {"a": Object(content=Synthetic(12345), etag='"v1"'), "empty": b""}
    with WebOrigin(files) as origin:
        origin.strike("*", Status(405), role=Role.HEAD, times=ALWAYS)
        yield origin


def test_a_server_without_head_is_asked_for_one_byte(stubborn: WebOrigin) -> None:
    found = only(source(file(f"{stubborn.url}/a")))
    assert (found.size, found.etag) == (12345, "v1")
    assert only(source(file(f"{stubborn.url}/empty"))).size == 0
    assert stubborn.log.sent() == 1


def test_a_weak_etag_shows_a_change_but_pins_no_range(stubborn: WebOrigin) -> None:
    stubborn.strike("a", WeakEtag())
    found = only(source(file(f"{stubborn.url}/a")))
    assert (found.etag, found.version) == (None, "v1")


def test_passing_trouble_is_waited_for(stubborn: WebOrigin) -> None:
    stubborn.strike("a", Status(503), Header("Retry-After", "0"), times=2)
    assert only(source(file(f"{stubborn.url}/a"))).size == 12345
    assert sum(entry.status == 503 for entry in stubborn.log) == 2


def test_a_lasting_failure_is_reported(stubborn: WebOrigin) -> None:
    stubborn.strike("a", Status(503), Header("Retry-After", "0"), times=ALWAYS)
    with pytest.raises(Failure, match="HTTP 503") as caught:
        source(file(f"{stubborn.url}/a")).resolve(None)
    assert caught.value.reason is Reason.ORIGIN_ERROR


def test_a_server_that_is_not_there_is_a_network_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a"
    with pytest.raises(Failure) as caught:
        source(file(url)).resolve(None)
    assert caught.value.reason is Reason.NETWORK_ERROR
