"""What all tests share: those that install the chart never begin where somebody else has installed it, and a
property is no measurement of a machine's speed.
"""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from dev import occupied, target
from tests.e2e import release

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_finish(session: pytest.Session) -> None:
    """End before the first test where tests that install would remove what others made."""
    installs = any("room" in getattr(item, "fixturenames", ()) for item in session.items)
    if not installs or "KUBECONFIG" not in os.environ or session.config.option.collectonly:
        return
    try:
        occupied.make_room(occupied.Maker.TESTS)
    except target.TargetError as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture(scope="session")
def room() -> Iterator[None]:
    """A cluster without an installation; what the tests made is removed at the end, by its label."""
    yield
    occupied.Cluster().clean_up(occupied.Maker.TESTS)


@pytest.fixture(scope="session")
def operator(room: None) -> Iterator[None]:
    """The chart's release, installed once and removed at the end."""
    release.install()
    yield
    release.helm("uninstall", release.RELEASE, "-n", release.SYSTEM, "--ignore-not-found")
