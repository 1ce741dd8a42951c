"""Fixtures of the API's tests: our CRDs on a real API server, once for all that ask."""

from collections.abc import Iterator

import pytest

from tests.api import proof


@pytest.fixture(scope="session")
def space() -> Iterator[None]:
    """The namespace of these tests."""
    with proof.space():
        yield


@pytest.fixture(scope="session")
def api(space: None) -> Iterator[proof.Proof]:
    """Our CRDs on the cluster that KUBECONFIG names."""
    with proof.installed() as found:
        yield found
