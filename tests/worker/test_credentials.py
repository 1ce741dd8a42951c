"""Credentials are read again, named by their Secret and key, and never shown."""

import base64
from pathlib import Path

import pytest

from modelsync.api.reasons import Reason
from modelsync.api.source.sources import S3Source, SecretRef, Source
from modelsync.worker.common.failures import Failure
from modelsync.worker.sources import credentials as creds
from modelsync.worker.sources import factory

CANARY = "canary-a8f3"


def secret(path: Path, **values: str) -> creds.SecretDirectory:
    """A mounted Secret, with the links that the kubelet makes."""
    data = path / "..data"
    data.mkdir()
    for key, value in values.items():
        (data / key).write_text(value)
        (path / key).symlink_to(data / key)
    return creds.SecretDirectory(path=path, name="models", field_path="spec.source.http.secretRef")


def test_a_value_never_shows_itself() -> None:
    keys = creds.Keys(access_key=creds.Hidden(CANARY), secret_key=creds.Hidden(CANARY), session_token=None)
    given = creds.Given(where="HF_TOKEN", values={"token": creds.Hidden(CANARY)})
    for shown in (creds.Hidden(CANARY), keys, given):
        assert CANARY not in f"{shown!r} {shown} {shown!s}"
    assert keys.access_key.reveal() == CANARY


def test_a_changed_secret_is_read_again(tmp_path: Path) -> None:
    mounted = secret(tmp_path, token="old\n")
    first = creds.bearer(mounted, "token")
    (tmp_path / "..data" / "token").write_text("new")
    second = creds.bearer(mounted, "token")
    assert first and second
    assert (first.reveal(), second.reveal()) == ("old", "new")


def test_a_secret_is_read_once_for_each_version_that_the_kubelet_mounts(tmp_path: Path) -> None:
    """The kubelet writes a new directory and then moves the link, as kubelet's AtomicWriter does."""

    def version(name: str, token: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(token)
        (tmp_path / "..next").symlink_to(name)
        (tmp_path / "..next").rename(tmp_path / "..data")

    version("..2026_1", "old")
    (tmp_path / "token").symlink_to("..data/token")
    mounted = creds.SecretDirectory(path=tmp_path, name="models", field_path="spec.source.http.secretRef")
    assert mounted.read()["token"].reveal() == "old"
    assert mounted.read() is mounted.read()
    version("..2026_2", "new")
    assert mounted.read()["token"].reveal() == "new"


def test_bearer_wins_over_basic_and_both_make_a_header(tmp_path: Path) -> None:
    mounted = secret(tmp_path, username="reader", password="pass word")
    header = creds.authorization(mounted)
    assert header is not None
    scheme, _, value = header.reveal().partition(" ")
    assert (scheme, base64.b64decode(value)) == ("Basic", b"reader:pass word")
    (tmp_path / "token").write_text("tok")
    header = creds.authorization(mounted)
    assert header is not None
    assert header.reveal() == "Bearer tok"


WRONG = {
    "no such key": ({}, Reason.SECRET_NOT_FOUND, "'token'"),
    "empty": ({"token": "\n"}, Reason.AUTHENTICATION_FAILED, "empty"),
    "a line break inside": ({"token": "a\nInjected: b"}, Reason.AUTHENTICATION_FAILED, "characters"),
    "not ASCII": ({"token": "tökén"}, Reason.AUTHENTICATION_FAILED, "characters"),
    "user without password": ({"username": "a"}, Reason.SECRET_NOT_FOUND, "'password'"),
}


@pytest.mark.parametrize(("values", "reason", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_secret_is_named_with_its_key_and_field(
    tmp_path: Path, values: dict[str, str], reason: Reason, says: str
) -> None:
    with pytest.raises(Failure) as caught:
        creds.authorization(secret(tmp_path, **values))
    assert caught.value.reason is reason
    for word in (says, "the Secret models", "spec.source.http.secretRef"):
        assert word in caught.value.message
    assert "Injected" not in caught.value.message


def test_binary_values_are_refused(tmp_path: Path) -> None:
    mounted = secret(tmp_path)
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(Failure, match="is not text"):
        creds.bearer(mounted, "token")


def test_a_secret_that_is_not_mounted_is_reported_by_name(tmp_path: Path) -> None:
    source = Source(s3=S3Source(bucket="models", secret_ref=SecretRef(name="keys")))
    mounted = factory.mounted_credentials(source, tmp_path / "absent")
    with pytest.raises(Failure, match=r"the Secret keys \(spec\.source\.s3\.secretRef\)") as caught:
        creds.s3_keys(mounted)
    assert caught.value.reason is Reason.SECRET_NOT_FOUND


def test_a_source_without_a_secret_has_no_credentials(tmp_path: Path) -> None:
    found = factory.mounted_credentials(Source(s3=S3Source(bucket="models")), tmp_path)
    assert not found.given
    assert creds.s3_keys(found) is None
    assert creds.bearer(found, "token") is None
