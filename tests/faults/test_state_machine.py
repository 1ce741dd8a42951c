"""The state machine of a sync has teeth: a worker that believes its bytes is caught."""

import shutil
from pathlib import Path

import pytest

from dev import target
from tests.faults.suites import machine


def test_a_worker_that_compares_no_checksum_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dev", "tests"):
        (tmp_path / name).symlink_to(target.REPOSITORY / name)
    shutil.copytree(target.REPOSITORY / "operator", tmp_path / "operator")
    hashing = tmp_path / "operator/modelsync/worker/checksums/file_digest.py"
    broken = hashing.read_text().replace(
        "if self._sums[name].hexdigest() != self._reported[name]", "if False"
    )
    assert broken != hashing.read_text()
    hashing.write_text(broken)
    monkeypatch.setattr(target, "REPOSITORY", tmp_path)
    tally = machine.CASES[0].run(7, 40)
    assert "wrong bytes" in tally.failures[0]
