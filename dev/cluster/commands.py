"""Running other programs: quietly when they work, with their own words when they do not."""

import collections.abc
import subprocess

from dev.cluster import layout


def run(*command: str, stdin: str | None = None, timeout: float = 120) -> str:
    """Run to the end and return stdout; a failure becomes a ClusterError that quotes stderr."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise layout.ClusterError(f"`{' '.join(command)}` failed: {words}")
    return done.stdout


def succeeds(*command: str, timeout: float = 30) -> bool:
    """Return whether the command ends with exit code 0 in time."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def inside(cluster: layout.Cluster, *command: str) -> tuple[str, ...]:
    """Return the command as it runs in the cluster's network namespace.

    nsenter and not `ip netns exec`: the latter remounts /sys, which hides the cgroup hierarchies
    from the kubelet.
    """
    return ("nsenter", f"--net={cluster.namespace_path}", "--", *command)


def kubectl(cluster: layout.Cluster, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as administrator of the cluster and return its stdout."""
    return run(*kubectl_command(cluster, *arguments), stdin=stdin)


def kubectl_command(cluster: layout.Cluster, *arguments: str) -> collections.abc.Sequence[str]:
    """Return the command line of kubectl as administrator of the cluster."""
    binary = str(layout.binaries_folder() / "kubectl")
    return inside(cluster, binary, f"--kubeconfig={cluster.kubeconfig}", *arguments)
