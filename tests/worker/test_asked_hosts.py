"""No host is looked up or asked but the configured ones, whatever the libraries do on their own."""

from pathlib import Path

import pytest

from dev.origins.hub import HubServer, Repository
from modelsync import __version__
from modelsync.api.source.transfer import Engine
from tests.worker import witness
from tests.worker.hubs import HubSync


def test_nobody_is_asked_but_the_origin_by_any_source_and_engine() -> None:
    assert witness.observed() == {case: [] for case in witness.CASES}


@pytest.mark.parametrize("engine", Engine)
def test_every_request_says_who_asks(tmp_path: Path, engine: Engine) -> None:
    with HubServer(Repository("org/model", {"config.json": b"{}"})) as hub:
        HubSync(hub, tmp_path, engine=engine).run()
        agents = {
            entry.request.headers.get("user-agent", "").partition(";")[0]
            for entry in hub.log.entries(listener="hub")
        }
    assert agents == {f"modelsync/{__version__}"}
