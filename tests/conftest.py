"""What all tests share: those that install the chart never begin where somebody else has installed it, a
property is no measurement of a machine's speed, and with `-n` what waits runs side by side (tests/parallel).
"""

import os
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from dev import occupied, target
from modelsync import startup
from tests import counts
from tests.e2e import release
from tests.parallel import plugin

hypothesis.settings.register_profile("untimed", deadline=None, max_examples=counts.chosen(short=50, full=100))
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Take the hooks of tests/parallel."""
    config.pluginmanager.register(plugin, "modelsync-parallel")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays, so the collector looks through it neither meanwhile nor in any test."""
    with startup.loading():
        return (yield)


def pytest_collection_finish(session: pytest.Session) -> None:
    """End before the first test where tests that install would remove what others made."""
    installs = any("room" in getattr(item, "fixturenames", ()) for item in session.items)
    if not installs or "KUBECONFIG" not in os.environ or session.config.option.collectonly:
        return
    if not plugin.is_first(session.config):
        return
    try:
        occupied.make_room(occupied.Maker.TESTS)
    except target.TargetError as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture(scope="session")
def room(request: pytest.FixtureRequest) -> Iterator[None]:
    """A cluster without an installation; what the tests made is removed at the end, by its label."""
    if plugin.leave(request.config, "room"):
        yield
        return
    yield
    if not occupied.cluster_goes():
        occupied.Cluster().clean_up(occupied.Maker.TESTS)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """When all processes have ended: remove what their tests made on the cluster."""
    if plugin.left(session.config, "room") and not occupied.cluster_goes():
        try:
            occupied.Cluster().clean_up(occupied.Maker.TESTS)
        except target.TargetError as error:
            print(f"\n{error}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def operator(room: None, request: pytest.FixtureRequest) -> None:
    """The chart's release, whatever the test before made of it: with the tests' values, and with those of the
    marker `values`."""
    marker = request.node.get_closest_marker("values")
    release.ensure(**(marker.args[0] if marker else {}))
