"""What the kernel counts is read as it stands there, and progress has three layers."""

from pathlib import Path

import pytest

from modelsync.api.protocol import DeviceCounters
from modelsync.api.reasons import Layer
from modelsync.worker.progress import fallbacks, proc_counters

HEADER = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
"""
TEXT = (
    HEADER
    + """    lo: 9999 1 0 0 0 0 0 0 9999 1 0 0 0 0 0 0
  eth0:1234567890123 5 0 0 0 0 0 0 42 7 0 0 0 0 0 0
veth1.5@x: 7 5 0 0 0 0 0 0 8 7 0 0 0 0 0 0
torn: 1 2
odd name: 1 2 3 4 5 6 7 8 9
"""
)


def device(name: str, received: int, sent: int = 0) -> DeviceCounters:
    return DeviceCounters(device=name, receive_bytes=received, transmit_bytes=sent)


def test_devices_are_read_without_loopback_the_busiest_first() -> None:
    assert proc_counters.parse_devices(TEXT) == (device("eth0", 1234567890123, 42), device("veth1.5@x", 7, 8))


def test_no_more_devices_are_reported_than_a_report_holds() -> None:
    lines = "".join(f"eth{number}: {number} 0 0 0 0 0 0 0 1 0\n" for number in range(100))
    found = proc_counters.parse_devices(HEADER + lines)
    assert len(found) == 16
    assert found[0].device == "eth99"


def test_the_kernels_own_file_can_be_read() -> None:
    assert all(each.device != "lo" for each in proc_counters.network_devices())


def test_a_kernel_that_reports_nothing_is_no_error(tmp_path: Path) -> None:
    assert proc_counters.network_devices(tmp_path / "absent") == ()
    assert proc_counters.volume_space(tmp_path / "absent") is None


def test_space_is_what_an_unprivileged_user_may_use(tmp_path: Path) -> None:
    found = proc_counters.volume_space(tmp_path)
    assert found is not None
    assert 0 <= found.available_bytes <= found.capacity_bytes


def test_partial_files_are_counted_and_others_not(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.incomplete", "deep/b.tmp", "deep/c.partial", "model.bin"):
        (tmp_path / name).write_bytes(b"x" * 4096)
    (tmp_path / "link.tmp").symlink_to(tmp_path / "model.bin")
    assert fallbacks.partial_bytes(tmp_path) == pytest.approx(3 * 4096, abs=200)


def test_a_hole_in_a_partial_file_is_no_progress(tmp_path: Path) -> None:
    with (tmp_path / "a.incomplete").open("wb") as file:
        file.truncate(1 << 30)
    assert fallbacks.partial_bytes(tmp_path) == 0


def test_without_a_partial_file_there_is_no_figure(tmp_path: Path) -> None:
    assert fallbacks.partial_bytes(tmp_path) is None


RECEIVED = {
    "one device": ([("eth0", 10)], [("eth0", 25)], 15),
    "a device that came": ([], [("eth0", 25)], 25),
    "a device that was reset": ([("eth0", 100)], [("eth0", 25)], 25),
    "two devices": ([("eth0", 1), ("eth1", 1)], [("eth0", 2), ("eth1", 3)], 3),
    "no device": ([("eth0", 1)], [], None),
}


@pytest.mark.parametrize(("before", "now", "expected"), RECEIVED.values(), ids=RECEIVED)
def test_received_bytes_grow_between_two_readings(
    before: list[tuple[str, int]], now: list[tuple[str, int]], expected: int | None
) -> None:
    assert fallbacks.received([device(*one) for one in before], [device(*one) for one in now]) == expected


@pytest.mark.parametrize(
    ("engine", "files", "network", "expected"),
    [
        (5, 6, 7, (5, Layer.ENGINE)),
        (0, 6, 7, (0, Layer.ENGINE)),
        (None, 6, 7, (6, Layer.FILES)),
        (None, None, 7, (7, Layer.NETWORK)),
        (None, None, None, (0, Layer.ENGINE)),
    ],
)
def test_the_best_layer_that_reports_anything_is_taken(
    engine: int | None, files: int | None, network: int | None, expected: tuple[int, Layer]
) -> None:
    sight = fallbacks.Sight(engine=lambda: engine, files=lambda: files, network=lambda: network)
    seen = sight.look()
    assert (seen.bytes_done, seen.layer) == expected
