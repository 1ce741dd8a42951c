"""What a real S3 server (versitygw) refuses, and what its answers are said to mean."""

import contextlib
import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore import auth

from dev.origins.programs import versitygw
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import S3Source
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Refused, Request
from modelsync.worker.http import range_response, refusals
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.sources.credentials import Given, Hidden, Keys
from modelsync.worker.sources.s3 import errors
from modelsync.worker.sources.s3.buckets import BucketSource
from modelsync.worker.sources.s3.signing import Signer

KEYS = Given(where="the Secret", values={"AWS_ACCESS_KEY_ID": Hidden("A")})
STORE = S3Source(bucket="models", endpoint="https://store.example.org")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[versitygw.Versitygw]:
    with versitygw.running(tmp_path_factory.mktemp("s3")) as running:
        running.put("models", {"model.bin": b"x" * 1000})
        yield running


REAL: dict[str, tuple[dict[str, str], dict[str, str], Reason, str]] = {
    "region": ({"region": "eu-central-1"}, {}, Reason.INVALID_SPEC, "Set spec.source.s3.region to us-east-1"),
    "access key": (
        {},
        {"AWS_ACCESS_KEY_ID": "other"},
        Reason.AUTHENTICATION_FAILED,
        "not know the access key",
    ),
    "secret key": (
        {},
        {"AWS_SECRET_ACCESS_KEY": "canary"},
        Reason.AUTHENTICATION_FAILED,
        "The secret key does",
    ),
    "session": ({}, {"AWS_SESSION_TOKEN": "canary"}, Reason.AUTHENTICATION_FAILED, "of one session"),
    "bucket": ({"bucket": "absent"}, {}, Reason.NOT_FOUND, "There is no bucket absent at http://127.0.0.1"),
}


@pytest.mark.parametrize(("fields", "keys", "reason", "says"), REAL.values(), ids=REAL)
def test_a_real_servers_refusals_name_their_cause(
    server: versitygw.Versitygw, fields: dict[str, str], keys: dict[str, str], reason: Reason, says: str
) -> None:
    values = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key} | keys
    secret = Given(where="the Secret keys", values={key: Hidden(value) for key, value in values.items()})
    spec = S3Source.model_validate({"bucket": "models", "endpoint": server.url} | fields)
    with pytest.raises(Failure) as caught:
        BucketSource(spec, secret, Network()).resolve(None)
    assert caught.value.reason is reason
    assert says in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("secret", "hours", "says"),
    [
        ("wrong", 0, "The secret key does not belong"),
        (versitygw.SECRET_KEY, -10, "The clock here differs too much"),
    ],
)
def test_a_real_servers_refusals_of_a_get_are_read_as_they_come(
    server: versitygw.Versitygw, monkeypatch: pytest.MonkeyPatch, secret: str, hours: int, says: str
) -> None:
    signing: Any = auth
    now = signing.get_current_datetime
    monkeypatch.setattr(signing, "get_current_datetime", lambda: now() + datetime.timedelta(hours=hours))
    with server.client() as client:
        right = Keys(access_key=Hidden(server.access_key), secret_key=Hidden(secret), session_token=None)
        url = Signer(client, "models", right).url("GET", "model.bin", None)
    seen: list[errors.Refusal] = []

    def explain(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
        seen.append(errors.read(status, headers, body, "model.bin"))
        return Refused(failure=errors.failure(seen[-1], STORE, KEYS))

    with contextlib.closing(Transport(Network())) as transport:
        answer = transport.get(Request(url=url, explain=explain), {})
        with contextlib.closing(answer.response), pytest.raises(range_response.Renew) as caught:
            refusals.check(answer)
    assert caught.value.failure.reason is Reason.AUTHENTICATION_FAILED, seen
    assert says in caught.value.failure.message
