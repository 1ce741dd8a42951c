"""What a command costs: wall time, CPU time of it and its children, and the most memory they held.

CPU time is what the kernel hands over with the ended child (wait4). Its `ru_maxrss` is not used: a child
inherits the mark of its parent, so a small program would be measured as large as this one. VmHWM of each
process is read instead; being a mark itself, it loses at most what is allocated within the last interval.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FIRST_POLL_SECONDS, POLL_SECONDS = 0.004, 0.05


class BenchError(Exception):
    """A benchmark cannot go on; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Seconds of wall and CPU time, and the peak of resident memory in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float

    def then(self, later: "Usage") -> "Usage":
        """Both, one after the other."""
        return Usage(
            wall_s=self.wall_s + later.wall_s,
            cpu_s=self.cpu_s + later.cpu_s,
            peak_mib=max(self.peak_mib, later.peak_mib),
        )


def line(name: str, size: int | None, used: Usage) -> str:
    """One run for the terminal; `size` is in bytes, None where not all was fetched."""
    speed = f"{size / 1e6 / used.wall_s:6.0f} MB/s" if size else " " * 11
    return f"    {name:<34}{used.wall_s:8.2f} s {speed} {used.cpu_s:7.2f} s CPU {used.peak_mib:5.0f} MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End the command after some seconds, in order; for what would run for hours."""

    after_s: float
    codes: tuple[int, ...] = (0, 143)


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    timeout_s: float = 600.0,
    stop: Stop | None = None,
) -> Usage:
    """Run to the end; raises BenchError with the command's own words when it fails or takes too long."""
    with log.open("wb") as output:
        begun = time.monotonic()
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            peak = _watch(process.pid, begun, timeout_s, stop)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
    if process.returncode not in (stop.codes if stop else (0,)):
        words = log.read_text(errors="replace")[-1500:]
        raise BenchError(f"{' '.join(command)[:300]} ended with {process.returncode}:\n{words}")
    return Usage(wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_mib=peak / 1024)


def _watch(pid: int, begun: float, timeout_s: float, stop: Stop | None) -> int:
    """Wait for the process's end, not reaping it; the sum of its tree's peaks in KiB."""
    peaks: dict[int, int] = {}
    descriptor = os.pidfd_open(pid)
    stopped, pause = False, FIRST_POLL_SECONDS
    try:
        while not select.select([descriptor], [], [], pause)[0]:
            pause = min(POLL_SECONDS, pause * 2)
            for each in _tree(pid):
                peaks[each] = max(peaks.get(each, 0), _peak_kib(each))
            passed = time.monotonic() - begun
            if stop and not stopped and passed > stop.after_s:
                os.kill(pid, signal.SIGTERM)
                stopped = True
            if passed > timeout_s:
                raise BenchError(f"the command ran longer than {timeout_s:.0f} s")
    finally:
        os.close(descriptor)
    return sum(peaks.values())


def _tree(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{each}/task"):
                found += map(int, Path(f"/proc/{each}/task/{task}/children").read_text().split())
    return found


def _peak_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0
