"""The Hub, by its real client against our Hub: the right commit, digests, requests, and a reason for each
refusal."""

import hashlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins import certificates
from dev.origins.faults import ALWAYS, ANY, Status
from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import HuggingFaceSource, RepositoryType, Source, TokenSecretRef
from modelsync.api.source.transfer import Resolved
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, Listing, RemoteFile
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.sources import factory
from modelsync.worker.sources.credentials import Credentials, Given, Hidden, SecretDirectory
from modelsync.worker.sources.hub.repositories import HubSource

GOOD, OUTSIDER, WRONG = "hf_good", "hf_outsider", "hf_wrong"
SMALL = {f"folder/{number:03}.json": b"x" * number for number in range(120)}
ODD = "odd name #1?%20 ä.txt"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    repositories = (
        Repository("org/model", {**SMALL, "model.bin": Synthetic(300_000), ODD: b"odd", "empty": b""}),
        Repository("org/gated", {"model.bin": b"weights"}, gated=True),
        Repository("org/private", {"model.bin": b"secret"}, private=True),
        Repository("org/model", {"table.csv": b"1,2\n"}, kind="dataset"),
    )
    with HubServer(*repositories, tokens={GOOD: None, OUTSIDER: []}) as server:
        yield server


def token(value: str | None) -> Credentials:
    values = {"token": Hidden(value)} if value else {}
    return Given(where="spec.source.huggingFace.secretRef", values=values)


def source(
    hub: HubServer, repository: str = "org/model", *, secret: str | None = None, **more: str
) -> HubSource:
    kind = RepositoryType(more.pop("repository_type", "Model"))
    spec = HuggingFaceSource(
        repository=repository, repository_type=kind, **{"endpoint": hub.url, "revision": "main", **more}
    )
    return HubSource(spec, token(secret), Network(timeout_seconds=5.0))


def by_path(listing: Listing) -> dict[str, RemoteFile]:
    return {file.path: file for file in listing.files}


def test_all_pages_are_listed_with_sizes_and_digests(hub: HubServer) -> None:
    listing = source(hub).resolve(None)
    repository = hub.state.repositories["model", "org/model"]
    commit = repository.find("main")
    assert commit is not None
    assert listing.revision == commit.sha
    found = by_path(listing)
    assert set(found) == set(commit.files)
    for path, file in commit.files.items():
        algorithm, value = ("sha256", file.sha256) if file.lfs else ("git-sha1", file.blob_id)
        assert (found[path].size, found[path].digests) == (
            file.size,
            (Digest(algorithm=algorithm, value=value),),
        )
    assert len([entry for entry in hub.log.entries() if "/tree/" in entry.request.path]) > 1


def test_a_files_request_brings_its_bytes_and_the_token_stays_at_its_origin(hub: HubServer) -> None:
    network = Transport(Network())
    opened = source(hub, "org/gated", secret=GOOD)
    (file,) = opened.resolve(None).files
    response = network.get(opened.request(file), {}).response
    assert response.read() == b"weights"
    response.close()
    network.close()
    assert all(not entry.authorization for entry in hub.log.entries(listener="cdn"))
    assert any(entry.authorization for entry in hub.log.entries(listener="hub"))


def test_odd_names_are_quoted_in_the_url(hub: HubServer) -> None:
    network = Transport(Network())
    opened = source(hub)
    file = by_path(opened.resolve(None))[ODD]
    response = network.get(opened.request(file), {}).response
    assert response.read() == b"odd"
    response.close()
    network.close()


def test_a_pinned_commit_is_kept_when_the_branch_moves(hub: HubServer) -> None:
    repository = hub.add(Repository("org/moving", {"a": b"1"}))
    first = source(hub, "org/moving").resolve(None)
    repository.commit({"a": b"2"})
    again = source(hub, "org/moving")
    pinned = again.resolve(Resolved(revision=first.revision))
    assert pinned == first
    (file,) = pinned.files
    assert first.revision in again.request(file).url
    assert source(hub, "org/moving").resolve(None).revision != first.revision


def test_a_renamed_repository_is_refused_with_its_new_name(hub: HubServer) -> None:
    hub.state.moved["org/old"] = "org/model"
    with pytest.raises(Failure, match=r"org/old is org/model now\. Name that in spec\.source") as caught:
        source(hub, "org/old").resolve(None)
    assert caught.value.reason is Reason.NOT_FOUND
    assert source(hub).resolve(None).files


def test_tags_and_datasets_are_found(hub: HubServer) -> None:
    hub.state.repositories["model", "org/model"].tag("v1.0")
    tagged = source(hub, revision="v1.0").resolve(None)
    assert tagged.revision == hub.state.repositories["model", "org/model"].sha
    dataset = source(hub, repository_type="Dataset")
    (file,) = dataset.resolve(None).files
    assert file.path == "table.csv"
    assert "/datasets/org/model/resolve/" in dataset.request(file).url


REFUSED = {
    "unknown repository": ("org/none", None, "main", Reason.NOT_FOUND, ["org/none", "another ModelSync"]),
    "unknown to the token": ("org/none", GOOD, "main", Reason.NOT_FOUND, ["org/none", "token"]),
    "private, anonymous": ("org/private", None, "main", Reason.NOT_FOUND, ["secretRef"]),
    "private, not granted": ("org/private", OUTSIDER, "main", Reason.NOT_FOUND, ["org/private"]),
    "unknown revision": ("org/model", None, "v9", Reason.REVISION_NOT_FOUND, ["v9", "huggingFace.revision"]),
    "gated, anonymous": ("org/gated", None, "main", Reason.ACCESS_DENIED, ["/org/gated", "secretRef"]),
    "gated, not granted": ("org/gated", OUTSIDER, "main", Reason.ACCESS_DENIED, ["accept its terms at"]),
    "wrong token": ("org/model", WRONG, "main", Reason.AUTHENTICATION_FAILED, ["secretRef"]),
    "wrong token, gated": ("org/gated", WRONG, "main", Reason.AUTHENTICATION_FAILED, ["secretRef"]),
    "wrong token, unknown": ("org/none", WRONG, "main", Reason.AUTHENTICATION_FAILED, ["secretRef"]),
}


@pytest.mark.parametrize(
    ("repository", "secret", "revision", "reason", "says"), REFUSED.values(), ids=REFUSED
)
def test_a_refusal_names_its_reason_and_the_fix(
    hub: HubServer, repository: str, secret: str | None, revision: str, reason: Reason, says: list[str]
) -> None:
    with pytest.raises(Failure) as caught:
        source(hub, repository, secret=secret, revision=revision).resolve(None)
    assert caught.value.reason is reason
    for word in says:
        assert word in caught.value.message
    assert "?" not in caught.value.message
    assert secret is None or secret not in caught.value.message


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (500, Reason.ORIGIN_ERROR),
        (503, Reason.ORIGIN_ERROR),
        (429, Reason.RATE_LIMITED),
        (403, Reason.ACCESS_DENIED),
    ],
)
def test_an_origins_error_is_reported_by_its_status(hub: HubServer, status: int, reason: Reason) -> None:
    hub.strike("/api/*", Status(status), role=ANY, times=ALWAYS)
    with pytest.raises(Failure) as caught:
        source(hub).resolve(None)
    assert caught.value.reason is reason


def test_a_hub_that_is_not_there_is_a_network_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    opened = HubSource(
        HuggingFaceSource(repository="org/model", endpoint=endpoint),
        token(None),
        Network(timeout_seconds=2.0),
    )
    with pytest.raises(Failure, match="does not answer") as caught:
        opened.resolve(None)
    assert caught.value.reason is Reason.NETWORK_ERROR


def test_a_host_without_address_is_reported_by_name() -> None:
    spec = HuggingFaceSource(repository="org/model", endpoint="http://no-such-host.invalid")
    with pytest.raises(Failure, match=r"no-such-host\.invalid cannot be resolved"):
        HubSource(spec, token(None), Network(timeout_seconds=2.0)).resolve(None)


def test_neither_token_nor_cache_reaches_log_or_disk(
    hub: HubServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", WRONG)
    caplog.set_level(logging.DEBUG)
    source(hub, "org/gated", secret=GOOD).resolve(None)
    source(hub).resolve(None)
    assert GOOD not in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_hub_with_an_own_authority_is_trusted_when_configured(tmp_path: Path) -> None:
    made = certificates.make(tmp_path, "127.0.0.1")
    pair = (made.certificate, made.key)
    with HubServer(Repository("org/model", {"a": b"1"}), certificate=pair) as server:
        spec = HuggingFaceSource(repository="org/model", endpoint=server.url)
        trusting = HubSource(spec, token(None), Network(ca_file=str(made.authority)))
        assert [file.path for file in trusting.resolve(None).files] == ["a"]
        with pytest.raises(Failure, match=r"worker\.caConfigMap") as caught:
            HubSource(spec, token(None), Network()).resolve(None)
    assert caught.value.reason is Reason.NETWORK_ERROR


def test_the_key_of_the_secret_is_the_one_that_is_named(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "hub").write_text(f"{GOOD}\n")
    reference = TokenSecretRef(name="mine", key="hub")
    spec = Source(
        hugging_face=HuggingFaceSource(repository="org/private", endpoint=hub.url, secret_ref=reference)
    )
    credentials = factory.mounted_credentials(spec, tmp_path)
    assert isinstance(credentials, SecretDirectory)
    listing = factory.open_source(spec, credentials, Network()).resolve(None)
    assert [file.digests[0].value for file in listing.files] == [hashlib.sha256(b"secret").hexdigest()]
