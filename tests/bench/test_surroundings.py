"""The delayed link and the slow volume are what their names say, and leave nothing behind."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev.bench import cases, data, distance, measure, places

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and disks: needs root")

REFUSED = """
import socket, sys, time
begun = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 9), timeout=5)
except ConnectionRefusedError:
    print(time.monotonic() - begun)
"""


def available(error: places.Unavailable) -> None:
    pytest.skip(str(error))


@needs_root
def test_a_refusal_from_afar_takes_a_round_trip() -> None:
    before = _namespaces()
    try:
        with distance.between(0.05, 1e8) as far:
            command = [*far.on_client, sys.executable, "-c", REFUSED, far.addresses[0]]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert 0.05 <= float(done.stdout) < 1.0
    except places.Unavailable as error:
        available(error)
    assert _namespaces() <= before


def _namespaces() -> set[str]:
    """Those of this process's benchmark; other runs have their own."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return {line for line in listed.stdout.splitlines() if f"modelsync-bench-{os.getpid()}-" in line}


@needs_root
def test_a_slow_volume_takes_as_long_as_its_rate_says(tmp_path: Path) -> None:
    size = 24 << 20
    try:
        with places.volume(cases.Volume.SLOW, tmp_path, size) as folder:
            begun = time.monotonic()
            with (folder / "file").open("wb") as file:
                file.write(b"x" * size)
                os.fsync(file.fileno())
            assert time.monotonic() - begun > 0.8 * size / cases.SLOW_RATE
    except places.Unavailable as error:
        available(error)
    assert not list(tmp_path.iterdir())


@needs_root
def test_a_vast_volume_has_room_for_more_than_any_disk(tmp_path: Path) -> None:
    with places.volume(cases.Volume.VAST, tmp_path, 10**12) as folder:
        space = os.statvfs(folder)
        assert space.f_bavail * space.f_frsize > 10**12
        used = (tmp_path / "disk.img").stat().st_blocks * 512
        assert used < 1 << 30
    assert not list(tmp_path.iterdir())


def test_memory_of_all_processes_of_a_command_counts(tmp_path: Path) -> None:
    grow = "import time; kept = bytearray(64 << 20); time.sleep(0.5)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grow!r}]); {grow}"
    command = [sys.executable, "-I", "-c", script]
    used = measure.run(command, environment={}, log=tmp_path / "log")
    assert used.peak_mib > 128
    assert used.wall_s > 1.0


def test_a_command_that_fails_says_its_words(tmp_path: Path) -> None:
    with pytest.raises(measure.BenchError, match="no such luck"):
        measure.run(["sh", "-c", "echo no such luck; exit 3"], environment={}, log=tmp_path / "log")


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(measure.BenchError, match="longer than"):
        measure.run(["sleep", "60"], environment=os.environ, log=tmp_path / "log", timeout_s=0.2)


def test_a_set_has_the_digests_that_it_states(tmp_path: Path) -> None:
    made = data.make(data.model(3 << 20), tmp_path / "files")
    assert len(made.files) == 30
    for file in made.files:
        body = (made.folder / file.path).read_bytes()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file.size, file.sha256)
