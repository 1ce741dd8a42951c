"""Listings without end: each ends by its own bound, whatever its pages hold and however long one waits."""

import threading
from pathlib import Path

import pytest

from dev.origins.files.listing import Listing
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Role
from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.stages import Stages
from modelsync.worker.sources import factory, pinning
from tests.origins.syncs import Sync

PAGED = [
    pytest.param(api, kind, id=f"{api}: {kind}")
    for api in ("hub", "s3")
    for kind in (Listing.EMPTY, Listing.REPEATED, Listing.SAME)
]


@pytest.mark.parametrize(("api", "kind"), PAGED)
def test_a_listing_has_a_bounded_number_of_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: str, kind: Listing
) -> None:
    monkeypatch.setattr(pinning, "MOST_PAGES", 30)
    with Origin() as origin:
        origin.listing, stages = kind, Stages()
        source = Sync(origin=origin, volume=tmp_path, kind=api).source()
        secrets = factory.mounted_credentials(source, tmp_path)
        network = Network(timeout_seconds=5.0)
        opened = factory.open_source(source, secrets, network, stop=threading.Event(), stages=stages)
        with pytest.raises(Failure) as failed:
            opened.resolve(None)
    assert failed.value.reason is Reason.ORIGIN_ERROR
    if api == "s3" and kind is Listing.SAME:
        assert "leads back to its own page" in failed.value.message
        assert len(origin.log.entries(role=Role.LIST)) <= 3
    else:
        assert "more than 30 pages" in failed.value.message
        assert 28 <= len(origin.log.entries(role=Role.LIST)) <= 31
    assert (stages.figures().files_done or 0) <= 1, "a file that was listed before is no progress"
