"""Fixtures of the end-to-end tests: one release of the chart, origins, a namespace a test."""

from collections.abc import Generator, Iterator

import pytest

from dev import kube
from dev.origins.hub import HubServer
from tests import needs
from tests.e2e import release, sources, state, volumes
from tests.e2e.page_server import PageServer, user


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, and skip it with a reason where no cluster is named."""
    for item in items:
        if "tests/e2e" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)
            item.add_marker(needs.CLUSTER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the state of the operator and of the test's namespace into the report of a failure.

    A moment later the namespace and its Pods are gone, and with them what a red run could be explained by.
    """
    report = yield
    if report.failed and report.when != "teardown" and "operator" in getattr(item, "fixturenames", ()):
        space = getattr(item, "funcargs", {}).get("space", "")
        report.sections.extend(state.sections(space))
    return report


@pytest.fixture
def space(operator: None, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, with Pod Security `restricted` and a claim called `models`."""
    with kube.namespace(kube.namespace_name(request.node.nodeid)) as found, volumes.claimed(found):
        yield found


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """One server of the page for all tests of a process, as one serves all users of a cluster."""
    with PageServer(tmp_path_factory.mktemp("page")) as server:
        yield server


@pytest.fixture
def token(space: str) -> str:
    """Of a user who may edit the test's namespace and nothing else."""
    return user("ann", space)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """Our Hub-compatible server at an address that Pods reach; each test has its own."""
    with HubServer(host=release.ORIGIN_HOST, tokens={sources.GATED_TOKEN: None}) as server:
        yield server
