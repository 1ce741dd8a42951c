"""Starting the long-running programs and finding out whether they still run.

A small shell joins the cluster's cgroup and only then becomes the program: between fork and exec
there is no instant at which a killed tool could leave a program that `stop` does not find.
"""

import contextlib
import os
import pathlib
import shlex
import signal
import subprocess
import time

from dev.cluster import cgroups, commands, layout


def start(cluster: layout.Cluster, component: str, *command: str, inside: bool = True) -> None:
    """Start a program in the cluster's namespace and cgroup, with a log and a pid file."""
    log = cluster.log(component)
    log.parent.mkdir(parents=True, exist_ok=True)
    joins = [f"echo $$ >{shlex.quote(str(f))}" for f in cgroups.procs_files(_cgroup(cluster))]
    joins.append(f"echo $$ >{shlex.quote(str(_pid_file(cluster, component)))}")
    # One that died before left its number, which would count as this one's end.
    _pid_file(cluster, component).write_text("")
    program = shlex.join(commands.inside(cluster, *command) if inside else command)
    script = "\n".join(["set -e", *joins, f"exec {program}"])
    with log.open("ab") as output:
        # setsid forks: the program is no child of ours, which would have to wait for it.
        subprocess.run(
            ["setsid", "--fork", "/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cluster.folder,
            env=layout.LESS_COLLECTING | os.environ,
            check=True,
        )


def kill(cluster: layout.Cluster, component: str) -> list[str]:
    """Kill a program at once; returns its command line, with which `start` starts it again."""
    pid = int(_pid_file(cluster, component).read_text())
    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    os.kill(pid, signal.SIGKILL)
    while running(cluster)[component]:
        time.sleep(0.01)
    return command


def prepare(cluster: layout.Cluster) -> None:
    """Make the cgroup and the folder that `start` needs."""
    cgroups.create(_cgroup(cluster))
    cgroups.prefer(cluster.cgroup)
    (cluster.folder / "run").mkdir(parents=True, exist_ok=True)


def running(cluster: layout.Cluster) -> dict[str, bool]:
    """Return for each started component whether it lives.

    A pid counts only while it is in the cluster's cgroup, so a reused number is no life sign.
    """
    alive = cgroups.members(_cgroup(cluster))
    found = {}
    for file in sorted((cluster.folder / "run").glob("*.pid")):
        text = file.read_text().strip()
        found[file.stem] = bool(text) and int(text) in alive and not _is_zombie(int(text))
    return found


def wait_for_url(cluster: layout.Cluster, component: str, url: str, timeout: float = 60) -> None:
    """Wait until the component answers 2xx there, or say why it never will."""
    deadline = time.monotonic() + timeout
    while not commands.succeeds(*commands.inside(cluster, "curl", "-ksf", "-m", "2", url)):
        require_alive(cluster, component)
        if time.monotonic() > deadline:
            raise layout.ClusterError(f"{component} does not get ready:\n{log_tail(cluster, component)}")
        time.sleep(0.1)


def wait_for_file(cluster: layout.Cluster, component: str, path: pathlib.Path, timeout: float = 30) -> None:
    """Wait until the component has made the file (its socket)."""
    deadline = time.monotonic() + timeout
    while not path.exists():
        require_alive(cluster, component)
        if time.monotonic() > deadline:
            raise layout.ClusterError(f"{component} does not get ready:\n{log_tail(cluster, component)}")
        time.sleep(0.05)


def require_alive(cluster: layout.Cluster, component: str) -> None:
    """Raise with the end of the log if the component has died."""
    if running(cluster).get(component) is False and _pid_written(cluster, component):
        raise layout.ClusterError(f"{component} died:\n{log_tail(cluster, component)}")


def log_tail(cluster: layout.Cluster, component: str, lines: int = 5) -> str:
    """Return the last lines of a component's log."""
    with contextlib.suppress(FileNotFoundError):
        return "\n".join(cluster.log(component).read_text().splitlines()[-lines:])
    return ""


def _cgroup(cluster: layout.Cluster) -> str:
    return f"{cluster.cgroup}/daemons"


def _pid_file(cluster: layout.Cluster, component: str) -> pathlib.Path:
    return cluster.folder / "run" / f"{component}.pid"


def _pid_written(cluster: layout.Cluster, component: str) -> bool:
    file = _pid_file(cluster, component)
    return file.exists() and bool(file.read_text().strip())


def _is_zombie(pid: int) -> bool:
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"
