"""A Hub with one repository of each sort, and a small HTTP client that follows no redirect."""

from collections.abc import Iterator

import pytest
import urllib3

from dev.origins.hub import HubServer, Repository, Synthetic

GOOD, OUTSIDER = "hf_good", "hf_outsider"
MODEL_SIZE = 3_000_000
SMALL_FILES = 120


def model() -> Repository:
    small = {f"folder-{number % 3}/{number:03}.json": b"x" * number for number in range(SMALL_FILES)}
    return Repository(
        "org/model", {**small, "config.json": b"{}", "model.bin": Synthetic(MODEL_SIZE, seed=7)}
    )


@pytest.fixture
def hub() -> Iterator[HubServer]:
    repositories = (
        model(),
        Repository("org/gated", {"model.bin": b"weights", "README.md": b"read me"}, gated=True),
        Repository("org/private", {"model.bin": b"secret"}, private=True),
        Repository("org/model", {"table.csv": b"1,2\n"}, kind="dataset"),
    )
    with HubServer(*repositories, tokens={GOOD: None, OUTSIDER: []}) as server:
        yield server


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool
