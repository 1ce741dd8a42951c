"""Everything a start could fail on later, asked before anything is changed."""

import os
import pathlib
import re
import shutil

from dev.cluster import binaries, commands, layout, network

_PROGRAMS = (
    "containerd",
    "runc",
    "ctr",
    "ip",
    "nsenter",
    "slirp4netns",
    "iptables",
    "conntrack",
    "curl",
    "busybox",
    "mkfs.ext4",
)


def check_name(name: str) -> None:
    """Refuse a name that does not fit into the names made from it."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", name):
        _refuse(f"--name {name!r} is no cluster name: use up to 32 lower case letters, digits and '-'")


def check(cluster: layout.Cluster) -> None:
    """Raise a ClusterError with exit code 2 that names the first thing missing and its fix."""
    check_root()
    if not 1 <= cluster.node_count <= 9:
        _refuse("--nodes must be between 1 and 9")
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing or not pathlib.Path(network.CNI_PLUGINS, "ptp").exists():
        _refuse(f"missing {', '.join(missing) or 'the CNI plugins'}; run dev/setup.sh")
    if not commands.succeeds("unshare", "--net", "true"):
        _refuse("this machine has no network namespaces for us; run on a host or virtual machine")
    if not os.access("/sys/fs/cgroup", os.W_OK):
        _refuse("/sys/fs/cgroup is not writable; run on a host or in a privileged container")
    _check_disk()


def check_root() -> None:
    """Refuse to go on as anybody but root."""
    if os.geteuid() != 0:
        _refuse("a cluster of real kubelets needs root; run again with sudo")


def _check_disk() -> None:
    folder = layout.cache_folder()
    while not folder.exists():
        folder = folder.parent
    free, needed = shutil.disk_usage(folder).free, binaries.bytes_needed()
    if free < needed:
        _refuse(
            f"{free / 1e9:.1f} GB are free at {folder}, {needed / 1e9:.0f} GB are needed;"
            " make room or point XDG_CACHE_HOME at a larger disk"
        )


def _refuse(sentence: str) -> None:
    raise layout.ClusterError(sentence, exit_code=2)
