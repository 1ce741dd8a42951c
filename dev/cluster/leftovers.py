"""Removing a cluster without a trace, however it came to its end.

There is one way to stop and no graceful variant beside it: nothing in a development cluster has to
be saved, and the path that must work after `kill -9` of everything gets exercised every time.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import time

from dev.cluster import cgroups, commands, layout

# Places outside of the state folder that the daemons write to, whatever their configuration.
_CNI_RESULTS = pathlib.Path("/var/lib/cni/results")
_LOG_LINKS = pathlib.Path("/var/log/containers")
_DEVICE_PLUGINS = pathlib.Path("/var/lib/kubelet/device-plugins")
_SHIM_SOCKETS = pathlib.Path("/run/containerd/s")


def remove(cluster: layout.Cluster) -> None:
    """Kill, unmount and delete all that belongs to the cluster; fine when nothing does."""
    cgroups.kill(cluster.cgroup)
    _kill_in_namespace(cluster)
    _unmount_below(cluster.folder)
    _detach_loops(cluster.folder)
    _delete_namespace(cluster)
    cgroups.remove(cluster.cgroup)
    _remove_outside_files(cluster)
    _remove_folder(cluster.folder)


def _kill_in_namespace(cluster: layout.Cluster) -> None:
    """Kill what was started by `exec`, but not the caller itself."""
    spared = _ancestors(os.getpid())
    if not cluster.namespace_path.exists():
        return
    listed = commands.run("ip", "netns", "pids", cluster.namespace)
    for pid in {int(word) for word in listed.split()} - spared:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _ancestors(pid: int) -> set[int]:
    found = set()
    while pid > 0:
        found.add(pid)
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat.rpartition(")")[2].split()[1])
    return found


def mounts_below(folder: pathlib.Path) -> list[str]:
    """Return the mount points below the folder, deepest (newest) first."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point.startswith(f"{folder}/"):
            found.append(point)
    return found[::-1]


def _unmount_below(folder: pathlib.Path, timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while points := mounts_below(folder):
        for point in points:
            # Lazy, once a plain unmount has failed for long: a folder somebody's shell stands in.
            lazy = ["--lazy"] if time.monotonic() > deadline - timeout / 2 else []
            commands.succeeds("umount", *lazy, point)
        if time.monotonic() > deadline:
            raise layout.ClusterError(f"cannot unmount {points[0]}; end what uses it and stop again")


def _detach_loops(folder: pathlib.Path) -> None:
    for image in (folder / "disks").glob("*.img"):
        for line in commands.run("losetup", "--associated", str(image)).splitlines():
            commands.succeeds("losetup", "--detach", line.partition(":")[0])


def _delete_namespace(cluster: layout.Cluster) -> None:
    if cluster.namespace_path.exists() and not commands.succeeds("ip", "netns", "delete", cluster.namespace):
        # A start killed between the making of the file and the mount leaves a plain file.
        cluster.namespace_path.unlink(missing_ok=True)


def _remove_outside_files(cluster: layout.Cluster) -> None:
    for shim in _shim_sockets(cluster):
        shim.unlink(missing_ok=True)
    for result in _cni_results(cluster):
        result.unlink(missing_ok=True)
    for link in _LOG_LINKS.glob("*.log"):
        if os.readlink(link).startswith(f"{cluster.folder}/"):
            link.unlink(missing_ok=True)
    if not _listens(_DEVICE_PLUGINS / "kubelet.sock"):
        (_DEVICE_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    if any(path.is_dir() for path in cluster.folder.parent.iterdir() if path != cluster.folder):
        return  # another cluster still works with these folders
    for folder in (_SHIM_SOCKETS, _CNI_RESULTS, _LOG_LINKS, _DEVICE_PLUGINS):
        for empty in (folder, folder.parent):
            with contextlib.suppress(OSError):
                empty.rmdir()


def _cni_results(cluster: layout.Cluster) -> list[pathlib.Path]:
    """Return the cached results of our pods' networks, and of the loopbacks of the same pods.

    Names are NETWORK-SANDBOX-INTERFACE; a loopback's network is not named after the cluster.
    """
    found = []
    sandbox_id = "[0-9a-f]" * 64
    for result in _CNI_RESULTS.glob(f"{cluster.namespace}-node-[0-9]-{sandbox_id}-eth0"):
        sandbox = result.name.removesuffix("-eth0").rpartition("-")[2]
        found += [result, _CNI_RESULTS / f"cni-loopback-{sandbox}-lo"]
    return found


def _listens(path: pathlib.Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def _shim_sockets(cluster: layout.Cluster) -> list[pathlib.Path]:
    pattern = "nodes/*/containerd-state/io.containerd.runtime.v2.task/k8s.io/*/address"
    addresses = [file.read_text() for file in cluster.folder.glob(pattern)]
    return [pathlib.Path(text.removeprefix("unix://")) for text in addresses if text]


def _remove_folder(folder: pathlib.Path, timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=time.monotonic() < deadline)
