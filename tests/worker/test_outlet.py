"""The way out of the libraries that list: the wait that an origin asks for is kept, whatever they do."""

import time
from pathlib import Path

import pytest

from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from modelsync.worker.common import retry
from tests.origins.syncs import Sync


@pytest.mark.parametrize("kind", ["hub", "s3"])
@pytest.mark.parametrize(
    ("status", "asked"), [(429, "2"), (503, "99999999999"), (503, "Wed, 21 Oct 2099 07:28:00 GMT")]
)
def test_a_listing_is_asked_for_again_neither_too_early_nor_in_years(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, status: int, asked: str
) -> None:
    monkeypatch.setattr(retry, "LONGEST_WAIT", 2.0)
    origin = Origin({"config.json": b"{}"}, token=None)
    with origin:
        origin.strike("", f"list:status={status}", f"list:header=Retry-After:{asked}")
        began = time.monotonic()
        end = Sync(origin=origin, volume=tmp_path, kind=kind).run()
    assert end.reason is Reason.SYNCED, end.message
    assert 2.0 <= time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("code", "reason", "says"),
    [
        ("", Reason.ORIGIN_ERROR, "does not list the files"),
        ("RevisionNotFound", Reason.REVISION_NOT_FOUND, "it is out of date"),
        ("RepoNotFound", Reason.ORIGIN_ERROR, "does not list the files"),
    ],
)
def test_a_commit_that_the_hub_named_and_cannot_list_is_no_missing_model_or_revision(
    tmp_path: Path, code: str, reason: Reason, says: str
) -> None:
    origin = Origin({"config.json": b"{}"}, token=None)
    with origin:
        origin.strike("", "list:status=404x*", f"list:header=X-Error-Code:{code}x*")
        end = Sync(origin=origin, volume=tmp_path).run()
    assert end.reason is reason and says in end.message
    assert "has the model org/model" in end.message


@pytest.mark.parametrize("kind", ["hub", "s3"])
def test_an_error_that_comes_coded_keeps_its_meaning(tmp_path: Path, kind: str) -> None:
    role = "info" if kind == "hub" else "list"
    origin = Origin({"config.json": b"{}"}, token=None)
    with origin:
        origin.strike("", f"{role}:status=404x*", f"{role}:header=Content-Encoding:gzipx*")
        end = Sync(origin=origin, volume=tmp_path, kind=kind).run()
    assert end.reason is Reason.NOT_FOUND, end.message


def test_an_object_that_lies_coded_in_its_bucket_is_still_listed(tmp_path: Path) -> None:
    origin = Origin({"config.json": b"{}"}, token=None)
    with origin:
        origin.strike("config.json", "head:header=Content-Encoding:gzipx*")
        assert Sync(origin=origin, volume=tmp_path, kind="s3").run().reason is Reason.SYNCED
