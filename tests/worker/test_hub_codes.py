"""The Hub's own code decides also where a file is fetched, after a listing that went well."""

from pathlib import Path

import pytest

from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from tests.origins.syncs import Sync

CODES: dict[str, tuple[int, str, Reason, str]] = {
    "gated": (403, "X-Error-Code:GatedRepo", Reason.ACCESS_DENIED, "is gated: accept its terms at http"),
    "disabled": (
        403,
        "X-Error-Message:Access to this resource is disabled.",
        Reason.ACCESS_DENIED,
        "The Hub has disabled the repository org/model",
    ),
    "private": (401, "X-Error-Code:RepoNotFound", Reason.NOT_FOUND, "There is no model org/model at"),
    "revision": (404, "X-Error-Code:RevisionNotFound", Reason.REVISION_NOT_FOUND, "has no revision"),
    "token": (
        401,
        "X-Error-Message:Invalid credentials in Authorization header",
        Reason.AUTHENTICATION_FAILED,
        "The Hub refuses the token (HTTP 401). Put a valid one into the Secret",
    ),
    "file": (404, "X-Error-Code:EntryNotFound", Reason.NOT_FOUND, "has no file model.bin"),
    "no code": (403, "X-Other:x", Reason.ACCESS_DENIED, "denies access to model.bin (HTTP 403)"),
}


@pytest.mark.parametrize(("status", "header", "reason", "says"), CODES.values(), ids=CODES)
def test_a_hubs_refusal_of_a_file_names_its_cause(
    tmp_path: Path, status: int, header: str, reason: Reason, says: str
) -> None:
    origin = Origin({"model.bin": b"x" * 1000}, token="right")
    with origin:
        origin.strike("model.bin", f"resolve:status={status}x*", f"resolve:header={header}x*")
        end = Sync(origin=origin, volume=tmp_path, token="right").run()
    assert end.reason is reason
    assert says in end.message
