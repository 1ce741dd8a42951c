"""Unfinished files whose ModelSync is gone: listed, and removed on request, and nothing else is touched."""

import fcntl
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelsync.cli import clean
from modelsync.worker.storage import leftovers

MB = 1_000_000
UID = "5f0c2a4e-0000-4000-8000-000000000001"
OTHER = "5f0c2a4e-0000-4000-8000-000000000002"


def abandon(target: Path, uid: str, *, size: int = 3 * MB, age: float = 7200) -> Path:
    """What a worker leaves that was stopped for good."""
    staging = target / ".modelsync" / uid / "staging" / "0123456789abcdef"
    staging.mkdir(parents=True)
    (staging / "journal").write_bytes(b"x")
    (staging / "0a1b.0").write_bytes(b"\1" * size)
    for path in (*staging.iterdir(), staging, staging.parent):
        os.utime(path, (os.stat(path).st_mtime - age,) * 2)
    (target / ".modelsync/lock").touch()
    return staging


def tree(root: Path) -> dict[str, bytes | None]:
    """All that is below a directory."""
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in root.rglob("*")}


def run(*words: str) -> tuple[int, str]:
    """`modelsync clean` with these words: its exit code and all that it printed."""
    done = CliRunner().invoke(clean.command, list(words))
    return done.exit_code, done.output


def test_leftovers_are_listed_with_directory_uid_and_size_and_stay(tmp_path: Path) -> None:
    abandon(tmp_path / "models/llama", UID)
    abandon(tmp_path, OTHER, size=MB)
    (tmp_path / "models/llama/config.json").write_text("{}")
    before = tree(tmp_path)
    code, said = run(str(tmp_path))
    assert code == 0
    lines = [line.split() for line in said.splitlines()]
    assert [line[:2] for line in lines[1:]] == [["/", OTHER], ["models/llama", UID]]
    assert [line[2][0] + line[2][-2:] for line in lines[1:]] == ["1MB", "3MB"]
    assert tree(tmp_path) == before


def test_named_leftover_is_removed_and_nothing_else(tmp_path: Path) -> None:
    abandon(tmp_path / "llama", UID)
    abandon(tmp_path / "llama", OTHER)
    (tmp_path / "llama/.modelsync/manifest.json").write_text("{}")
    (tmp_path / "llama/model.safetensors").write_bytes(b"m")
    before = tree(tmp_path)
    code, _ = run(str(tmp_path), "--uid", UID)
    assert code == 0
    assert tree(tmp_path) == {path: what for path, what in before.items() if UID not in path}


def test_what_a_worker_writes_is_left_alone(tmp_path: Path) -> None:
    abandon(tmp_path, UID)
    before = tree(tmp_path)
    with open(tmp_path / ".modelsync/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = run(str(tmp_path), "--uid", UID)
    assert (code, "in use" in said) == (1, True)
    assert tree(tmp_path) == before
    assert run(str(tmp_path), "--uid", UID)[0] == 0


def test_without_working_locks_only_what_has_not_changed_for_an_hour_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelsync.worker.storage.mount_info.locks_reach_all_nodes", lambda mount: False)
    abandon(tmp_path / "fresh", UID, age=60)
    abandon(tmp_path / "old", OTHER)
    assert run(str(tmp_path), "--uid", UID)[0] == 1
    assert run(str(tmp_path), "--uid", OTHER)[0] == 0
    assert (tmp_path / "fresh/.modelsync" / UID).exists()
    assert not (tmp_path / "old/.modelsync" / OTHER).exists()


@pytest.mark.parametrize("uid", ["lock", "manifest.json", "..", "a/b", "", ".hidden", "unknown"])
def test_only_a_leftover_can_be_named(tmp_path: Path, uid: str) -> None:
    abandon(tmp_path, UID)
    (tmp_path / ".modelsync/manifest.json").write_text("{}")
    before = tree(tmp_path)
    assert run(str(tmp_path), "--uid", uid)[0] != 0
    assert tree(tmp_path) == before


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, volume = tmp_path / "outside", tmp_path / "volume"
    abandon(outside, UID)
    volume.mkdir()
    (volume / "linked").symlink_to(outside)
    (volume / ".modelsync").symlink_to(outside / ".modelsync")
    (volume / "inner/.modelsync").mkdir(parents=True)
    (volume / "inner/.modelsync" / OTHER).symlink_to(outside / ".modelsync" / UID)
    before = tree(outside)
    assert list(leftovers.find(volume)) == []
    assert run(str(volume), "--uid", UID)[0] == run(str(volume), "--uid", OTHER)[0] == 1
    assert tree(outside) == before


NAMES = st.sampled_from(["a", ".modelsync", "staging", "lock", UID, "manifest.json", "0123456789abcdef"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=st.lists(st.lists(NAMES, min_size=1, max_size=5), max_size=12))
def test_whatever_is_on_a_volume_only_staging_of_the_uid_goes(
    tmp_path_factory: pytest.TempPathFactory, paths: list[list[str]]
) -> None:
    root = tmp_path_factory.mktemp("volume")
    for words in paths:
        path = root.joinpath(*words)
        if not path.exists() and all(parent.is_dir() or not parent.exists() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"1")
    before = tree(root)
    run(str(root), "--uid", UID)
    gone = before.keys() - tree(root).keys()
    assert all(f".modelsync/{UID}" in path for path in gone)
    staged = f"/{UID}/staging/"
    assert all(staged in path or before[path] is None for path in gone), "only unfinished files"
