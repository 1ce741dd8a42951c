"""The claim of a test's namespace, on a volume that is there before the test asks.

The provisioner of our own cluster starts a Pod to make a folder, which takes four seconds. Here the test
makes the folder, with the PersistentVolume that the provisioner would have made (dev/cluster/addons.py).
Claims that tests make themselves keep the provisioner, and elsewhere all have the default storage class.
"""

import contextlib
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

from dev import kube, kube_api, occupied
from dev.cluster import layout, lifecycle

CLAIM = "models"


@contextlib.contextmanager
def claimed(namespace: str) -> Iterator[None]:
    """The claim CLAIM of a namespace that was just made."""
    cluster = os.environ.get("MODELSYNC_DEV_CLUSTER")
    if cluster is None:
        kube.apply(kube.claim(CLAIM, namespace))
        yield
        return
    nodes = lifecycle.saved(cluster).nodes
    volume = _volume(namespace, nodes[zlib.crc32(namespace.encode()) % len(nodes)])
    name = volume["metadata"]["name"]
    try:
        kube.apply(volume, kube.claim(CLAIM, namespace, volumeName=name, storageClassName=""))
        # A Pod that came sooner would not be scheduled at first, and its sync would say so.
        kube.eventually(lambda: _is_bound(namespace), 30, f"the claim of {namespace} is bound")
        yield
    finally:
        if not occupied.cluster_goes():
            kube_api.delete("persistentvolume", None, name)  # gone when the namespace with its claim is


def _volume(namespace: str, node: layout.Node) -> kube.Object:
    """An empty volume. Its name is new, as a volume stays bound to the claim that it had; its folder goes
    when the next one is made for this namespace, or with the cluster."""
    folder = node.volumes / f"test_{namespace}_{CLAIM}"
    _empty(folder)
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{secrets.token_hex(3)}", "labels": kube.OWN},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": CLAIM},
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        },
    }


def _is_bound(namespace: str) -> bool:
    claim = kube.get("persistentvolumeclaim", CLAIM, namespace)
    return bool(claim.get("status", {}).get("phase") == "Bound")


def _empty(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    folder.chmod(0o777)
