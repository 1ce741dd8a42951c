"""Everything a cluster can leave on a machine, looked up without the tool's own code."""

import contextlib
import os
import pathlib
import subprocess


def cache_folder() -> pathlib.Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "modelsync"


def of(name: str) -> list[str]:
    """Return what is left of the cluster: processes, mounts, cgroups, namespaces, files."""
    marks = (f"msdev-{name}", f"{cache_folder()}/cluster/{name}")
    return [
        *_processes(marks),
        *(f"mount {line}" for line in _lines("/proc/self/mountinfo") if _any(marks, line)),
        *_found("/sys/fs/cgroup", marks),
        *_found("/run/netns", marks),
        *_found("/var/lib/cni", marks),
        *_links(marks),
        *(f"loop {line}" for line in _output("losetup", "-a") if _any(marks, line)),
        *(mark for mark in marks if os.path.exists(mark)),
    ]


def _processes(marks: tuple[str, ...]) -> list[str]:
    lines = _output("ps", "-e", "-o", "pid=,args=")
    found = [f"process {line}" for line in lines if _any(marks, line)]
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # A dead process stays listed until init has asked for its exit code; that is not ours.
            dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            if _any(marks, (folder / "cgroup").read_text()) and not dead:
                found.append(f"process {folder.name} in the cgroup")
    return found


def _found(root: str, marks: tuple[str, ...]) -> list[str]:
    paths = pathlib.Path(root).rglob("*") if root != "/sys/fs/cgroup" else _cgroups()
    return [str(path) for path in paths if _any(marks, str(path))]


def _cgroups() -> list[pathlib.Path]:
    return [pathlib.Path(folder) for folder, _, _ in os.walk("/sys/fs/cgroup")]


def _links(marks: tuple[str, ...]) -> list[str]:
    links = pathlib.Path("/var/log/containers").glob("*")
    return [str(link) for link in links if _any(marks, os.readlink(link))]


def _lines(path: str) -> list[str]:
    return pathlib.Path(path).read_text().splitlines()


def _output(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _any(marks: tuple[str, ...], text: str) -> bool:
    return any(mark in text for mark in marks)
