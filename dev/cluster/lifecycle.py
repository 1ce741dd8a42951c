"""Start and stop: the order of things, and what is safe to repeat.

`start` makes the state folder before anything else and the ready file after everything else. So a
folder without that file, or with a dead daemon, is the sign of a broken cluster: it is removed and
made again, which takes less time than any repair could.
"""

import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import time

from dev.cluster import (
    addons,
    binaries,
    commands,
    controlplane,
    daemons,
    images,
    kernel,
    layout,
    leftovers,
    network,
    nodes,
    pki,
    preflight,
)


def start(cluster: layout.Cluster, report: binaries.Report) -> None:
    """Bring the cluster up, whatever state it is in; return when pods can run."""
    preflight.check(cluster)
    with _locked(report):
        if is_up(cluster):
            _require_fit(saved(cluster.name), cluster)
            report(f"cluster {cluster.name} is already running")
            return
        binaries.ensure(report)
        leftovers.remove(cluster)
        began = time.monotonic()
        try:
            _bring_up(cluster, report)
        except (layout.ClusterError, KeyboardInterrupt):
            report(f"start failed; logs are in {cluster.folder / 'logs'}")
            raise
        report(f"cluster {cluster.name} is ready after {time.monotonic() - began:.1f} s")


def _require_fit(running: layout.Cluster, wanted: layout.Cluster) -> None:
    if wanted.node_count > running.node_count or wanted.uplink > running.uplink:
        raise layout.ClusterError(
            f"cluster {wanted.name} is running with {running.node_count} nodes and"
            f" {'an' if running.uplink else 'no'} uplink; stop it first"
        )


def stop(cluster: layout.Cluster, report: binaries.Report) -> None:
    """Remove the cluster and every trace of it."""
    preflight.check_root()
    with _locked(report):
        leftovers.remove(cluster)
        kernel.restore()


def saved(name: str) -> layout.Cluster:
    """Return the cluster as it was started: its shape is in the state folder."""
    cluster = layout.Cluster(name)
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        text = (cluster.folder / "cluster.json").read_text()
        return layout.Cluster(**json.loads(text))
    return cluster


def is_up(cluster: layout.Cluster) -> bool:
    """Return whether a start has finished and all of its daemons live."""
    living = daemons.running(cluster)
    return cluster.ready_file.exists() and bool(living) and all(living.values())


def _bring_up(cluster: layout.Cluster, report: binaries.Report) -> None:
    kernel.note()
    cluster.folder.mkdir(parents=True)
    (cluster.folder / "cluster.json").write_text(json.dumps(dataclasses.asdict(cluster)))
    report("starting the control plane")
    network.create(cluster)
    daemons.prepare(cluster)
    if cluster.uplink:
        network.start_uplink(cluster)
    pki.write(cluster)
    controlplane.start_api(cluster)
    _start_runtimes(cluster)
    controlplane.wait_for_api(cluster)
    report(f"starting {cluster.node_count} nodes")
    controlplane.start_controllers(cluster)
    for node in cluster.nodes:
        nodes.start_kubelet(cluster, node)
    addons.start(cluster)
    _wait_until_usable(cluster)
    cluster.ready_file.touch()


def _start_runtimes(cluster: layout.Cluster) -> None:
    for node in cluster.nodes:
        nodes.start_containerd(cluster, node)
    load_images(cluster, images.write(cluster.folder / "images"))


def load_images(cluster: layout.Cluster, archives: collections.abc.Sequence[pathlib.Path]) -> None:
    """Import image archives into all nodes at once."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(nodes.load_images, cluster, n, archives) for n in cluster.nodes]:
            done.result()


def _wait_until_usable(cluster: layout.Cluster, timeout: float = 60) -> None:
    # Pods need a Ready node, DNS, and the service account that admission gives them.
    deadline = time.monotonic() + timeout
    while (missing := _missing(cluster)) is not None:
        for component in daemons.running(cluster):
            daemons.require_alive(cluster, component)
        if time.monotonic() > deadline:
            raise layout.ClusterError(f"the cluster does not get ready: {missing}")
        time.sleep(0.2)


def _missing(cluster: layout.Cluster) -> str | None:
    ready = commands.kubectl(cluster, "get", "nodes", "--no-headers")
    if len([line for line in ready.splitlines() if " Ready " in line]) < cluster.node_count:
        return f"nodes: {ready or 'none registered'}"
    if not dns_answers(cluster):
        return "DNS gives no answer"
    account = ("get", "serviceaccount", "default", "--namespace=default")
    if not commands.succeeds(*commands.kubectl_command(cluster, *account)):
        return "no default service account"
    return None


def dns_answers(cluster: layout.Cluster) -> bool:
    """Ask the cluster's DNS for the API server's own name."""
    name = f"kubernetes.default.svc.{layout.DOMAIN}"
    query = ("busybox", "nslookup", name, cluster.nodes[0].address)
    return commands.succeeds(*commands.inside(cluster, *query), timeout=3)


@contextlib.contextmanager
def _locked(report: binaries.Report) -> collections.abc.Iterator[None]:
    """Let one start or stop run at a time: they share the cgroup hierarchies and the builds.

    The lock is on a folder that stays, and dies with its holder.
    """
    folder = layout.cache_folder() / "cluster"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another start or stop to end")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
