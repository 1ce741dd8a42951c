"""What a repository's earlier revision or a wider filter left: in a directory, in a cache, and by `pull`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.origins.hub import HubServer, Repository, Synthetic
from modelsync.api.source.transfer import Layout, Verification
from tests.worker.hubs import HubSync
from tests.worker.syncs import files_in
from tests.worker.test_hubcache import tree
from tests.worker.test_pull import pull

HUB_FIRST: dict[str, bytes | Synthetic] = {
    "model-1-of-2.safetensors": Synthetic(3000, seed=1),
    "model-2-of-2.safetensors": Synthetic(3000, seed=2),
    "copy/model-2-of-2.safetensors": Synthetic(3000, seed=2),
    "config.json": b"{}",
    "deep/er/notes.md": b"notes",
}
HUB_SECOND: dict[str, bytes | Synthetic] = {
    "model.safetensors": Synthetic(3000, seed=3),
    "config.json": b"{}",
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(Repository("org/model", HUB_FIRST)) as server:
        yield server


def repository(hub: HubServer) -> Repository:
    return hub.state.repositories["model", "org/model"]


def test_a_branch_that_moves_leaves_only_its_new_files_in_a_directory(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path, layout=Layout.DIRECTORY)
    sync.run()
    repository(hub).commit(HUB_SECOND)
    sync.run()
    assert files_in(sync.home) == sorted(HUB_SECOND)


def test_a_second_pull_leaves_only_the_new_files_and_those_of_the_user(
    hub: HubServer, tmp_path: Path
) -> None:
    given = ("hf://org/model", "--endpoint", hub.url, "--to", tmp_path / "model")
    assert pull(*given).returncode == 0
    (tmp_path / "model/own.txt").write_text("own")
    repository(hub).commit(HUB_SECOND)
    assert pull(*given).returncode == 0
    assert files_in(tmp_path / "model") == sorted([*HUB_SECOND, "own.txt"])
    assert pull(*given, "--ignore", "*.json").returncode == 0
    assert files_in(tmp_path / "model") == ["model.safetensors", "own.txt"]


def fresh(hub: HubServer, directory: Path, **more: Any) -> dict[str, str]:
    """What a cache holds that was empty before."""
    sync = HubSync(hub, directory, **more)
    sync.run()
    return tree(sync.home / "hub/models--org--model")


@pytest.mark.parametrize("verification", Verification)
def test_a_branch_that_moves_leaves_one_snapshot_and_its_blobs_in_a_cache(
    hub: HubServer, tmp_path: Path, verification: Verification
) -> None:
    sync = HubSync(hub, tmp_path / "one", verification=verification)
    sync.run()
    first = repository(hub).sha
    repository(hub).commit(HUB_SECOND)
    sync.run()
    there = sync.home / "hub/models--org--model"
    assert tree(there) == fresh(hub, tmp_path / "other")
    assert not (there / "snapshots" / first).exists()


def test_a_narrower_filter_takes_links_and_blobs_out_of_a_cache(hub: HubServer, tmp_path: Path) -> None:
    sync = HubSync(hub, tmp_path / "one")
    sync.run()
    sync.allow = ("*.json", "copy/")
    sync.run()
    there = sync.home / "hub/models--org--model"
    assert tree(there) == fresh(hub, tmp_path / "other", allow=("*.json", "copy/"))


def _named_by_a_tag(there: Path, first: str) -> None:
    (there / "refs/v1").write_text(first)


def _linked_by_another_snapshot(there: Path, first: str) -> None:
    link = there / "snapshots" / ("f" * 40) / "x/mine"
    link.parent.mkdir(parents=True)
    blob = (there / "snapshots" / first / "model-1-of-2.safetensors").resolve()
    link.symlink_to(f"../../../blobs/{blob.name}")


def _edited_through_the_link(there: Path, first: str) -> None:
    (there / "snapshots" / first / "model-1-of-2.safetensors").resolve().write_bytes(bytes(3000))


KEPT = {
    "another ref": _named_by_a_tag,
    "another snapshot": _linked_by_another_snapshot,
    "edited": _edited_through_the_link,
}


@pytest.mark.parametrize("keep", KEPT.values(), ids=KEPT)
def test_what_a_cache_still_needs_stays(
    hub: HubServer, tmp_path: Path, keep: Callable[[Path, str], None]
) -> None:
    sync = HubSync(hub, tmp_path)
    sync.run()
    first, there = repository(hub).sha, sync.home / "hub/models--org--model"
    blob = (there / "snapshots" / first / "model-1-of-2.safetensors").resolve()
    keep(there, first)
    repository(hub).commit(HUB_SECOND)
    sync.run()
    assert blob.exists()
    if keep is not _linked_by_another_snapshot:
        assert (there / "snapshots" / first / "model-1-of-2.safetensors").resolve() == blob


@pytest.mark.parametrize("pinned_first", [True, False])
def test_a_commit_that_a_sync_pinned_stays_when_a_branch_that_named_it_moves(
    hub: HubServer, tmp_path: Path, pinned_first: bool
) -> None:
    first = repository(hub).sha
    sync, pinned = HubSync(hub, tmp_path), HubSync(hub, tmp_path, revision=first, uid="uid-2")
    for each in (pinned, sync) if pinned_first else (sync, pinned, sync):
        each.run()
    second = repository(hub).commit(HUB_SECOND)
    sync.run()
    third = repository(hub).commit({"config.json": b"[]"})
    sync.run()
    snapshots = sync.home / "hub/models--org--model/snapshots"
    assert sorted(os.listdir(snapshots)) == sorted([first, third])
    assert second != third
    assert len(list((snapshots / first).rglob("*.safetensors"))) == 3
    assert all(path.exists() for path in (snapshots / first).rglob("*"))


def test_revisions_of_other_names_lie_side_by_side_in_a_cache(hub: HubServer, tmp_path: Path) -> None:
    first = repository(hub).sha
    HubSync(hub, tmp_path, revision=first, uid="uid-2").run()
    second = repository(hub).commit(HUB_SECOND)
    sync = HubSync(hub, tmp_path)
    sync.run()
    snapshots = sync.home / "hub/models--org--model/snapshots"
    assert sorted(os.listdir(snapshots)) == sorted([first, second])
