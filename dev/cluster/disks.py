"""Small real disks: an ext4 file system of a chosen size, as a static `local` volume.

A dynamic volume of this cluster is a folder and has all of the machine's space. What a program does
when a disk is full can be tried on these only.
"""

import json
import pathlib

from dev.cluster import commands, layout, leftovers


def create(cluster: layout.Cluster, name: str, size: str, node_name: str) -> str:
    """Make the disk from scratch, offer it as PersistentVolume, and return its storage class's name."""
    folder = cluster.folder / "disks"
    folder.mkdir(exist_ok=True)
    image, mount_point = folder / f"{name}.img", folder / name
    for point in leftovers.mounts_below(folder):
        if pathlib.Path(point) == mount_point:
            commands.run("umount", point)
    image.unlink(missing_ok=True)
    commands.run("truncate", f"--size={_bytes(size)}", str(image))
    commands.run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
    mount_point.mkdir(exist_ok=True)
    commands.run("mount", "-o", "loop", str(image), str(mount_point))
    storage_class = f"disk-{name}"
    _offer(cluster, storage_class, size, node_name, mount_point)
    return storage_class


def _bytes(size: str) -> int:
    for suffix, power in (("Ki", 10), ("Mi", 20), ("Gi", 30)):
        if size.endswith(suffix) and size[:-2].isdigit():
            return int(size[:-2]) << power
    raise layout.ClusterError(f"--size {size!r} is no size: write for example 64Mi", exit_code=2)


def _offer(
    cluster: layout.Cluster,
    storage_class: str,
    size: str,
    node_name: str,
    mount_point: pathlib.Path,
) -> None:
    # A volume that was claimed once stays Released; only a new object can be claimed again.
    commands.kubectl(cluster, "delete", "pv", storage_class, "--ignore-not-found")
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node_name]}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": storage_class},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": storage_class,
            "local": {"path": str(mount_point)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        },
    }
    offer = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": storage_class},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    manifest = {"apiVersion": "v1", "kind": "List", "items": [volume, offer]}
    commands.kubectl(cluster, "apply", "--filename=-", stdin=json.dumps(manifest))
