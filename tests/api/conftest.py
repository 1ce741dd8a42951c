"""Fixtures of the API's tests: our CRDs on a real API server, once for all of them."""

from collections.abc import Iterator

import pytest

from tests.api import proof


@pytest.fixture(scope="session")
def api() -> Iterator[proof.Proof]:
    """Our CRDs on the cluster that KUBECONFIG names."""
    with proof.installed() as found:
        yield found
