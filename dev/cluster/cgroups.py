"""One cgroup below which all processes of a cluster run, in every mounted hierarchy.

Membership is inherited and survives the death of the process that started another, so killing what the
cgroup lists reaches daemons, shims and containers that nobody recorded.
"""

import contextlib
import os
import pathlib
import signal
import time

from dev.cluster import layout


def hierarchies() -> list[pathlib.Path]:
    """Return the mount points of all cgroup hierarchies, version 1 and 2."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ", 1)
        if right.split()[0] in ("cgroup", "cgroup2"):
            found.append(pathlib.Path(left.split()[4]))
    return sorted(set(found))


def create(relative: str) -> None:
    """Make the cgroup in every hierarchy, usable as a kubelet's cgroupRoot."""
    for hierarchy in hierarchies():
        parent = hierarchy
        for part in pathlib.PurePath(relative).parts:
            _delegate(parent)
            child = parent / part
            child.mkdir(exist_ok=True)
            _inherit_cpuset(parent, child)
            parent = child


def _delegate(parent: pathlib.Path) -> None:
    # Version 2 only: children have the controllers that their parent hands down.
    control = parent / "cgroup.subtree_control"
    if control.exists():
        for controller in (parent / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):
                control.write_text(f"+{controller}")


def _inherit_cpuset(parent: pathlib.Path, child: pathlib.Path) -> None:
    # Version 1 only: a new cpuset is empty, and nothing can run in an empty one.
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (child / name).exists() and not (child / "cgroup.controllers").exists():
            (child / name).write_text((parent / name).read_text())


def prefer(relative: str) -> None:
    """Give the cgroup eight times the processor time of another, while both want more than there is.

    Leases, probes and watches of a cluster have deadlines of seconds; what else runs on the machine has none.
    """
    for hierarchy in hierarchies():
        for name, value in (("cpu.shares", 8 * 1024), ("cpu.weight", 8 * 100)):  # version 1, version 2
            file = hierarchy / relative / name
            if file.exists():
                file.write_text(str(value))


def procs_files(relative: str) -> list[pathlib.Path]:
    """Return the files a process writes its id into to join the cgroup."""
    return [hierarchy / relative / "cgroup.procs" for hierarchy in hierarchies()]


def members(relative: str) -> set[int]:
    """Return the ids of all processes in the cgroup and below it."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / relative):
            with contextlib.suppress(OSError):
                text = (pathlib.Path(folder) / "cgroup.procs").read_text()
                found.update(int(line) for line in text.split())
    return found


def kill(relative: str, timeout: float = 20) -> None:
    """Kill until nothing is left: a dying containerd may still have started a shim."""
    deadline = time.monotonic() + timeout
    while pids := members(relative):
        if time.monotonic() > deadline:
            raise layout.ClusterError(f"processes {sorted(pids)} do not die; look at /proc/PID/stack")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def remove(relative: str, timeout: float = 10) -> None:
    """Remove the cgroup from all hierarchies; the kernel may need a moment to let go."""
    deadline = time.monotonic() + timeout
    while left := [h / relative for h in hierarchies() if (h / relative).exists()]:
        for root in left:
            _remove_tree(root)
        if time.monotonic() > deadline:
            raise layout.ClusterError(f"cgroup {left[0]} stays busy; stop again in a moment")
        time.sleep(0.02)


def _remove_tree(root: pathlib.Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
