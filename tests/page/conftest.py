"""Ends the browser of all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.page import browsing


@pytest.fixture(scope="session", autouse=True)
def _one_browser() -> Iterator[None]:
    yield
    browsing.SHARED.close()
