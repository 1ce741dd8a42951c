"""What every cluster has once it is up: a default storage class with dynamic volumes.

The provisioner is local-path: it makes a folder per claim by a short pod on the claim's node.
Its volumes are `local`, not `hostPath`, so that the kubelet applies `fsGroup` as it does to the
volumes of real storage drivers.
"""

import json

from dev.cluster import commands, controlplane, images, layout

_NAMESPACE = "local-path-storage"
_SETUP = '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\nchmod 0777 "$VOL_DIR"\n'
_TEARDOWN = '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n'


def start(cluster: layout.Cluster) -> None:
    """Apply the storage class with all it needs, then start its provisioner."""
    config = json.dumps(_provisioner_config(cluster))
    (cluster.folder / "local-path.json").write_text(config)
    manifest = {"apiVersion": "v1", "kind": "List", "items": _objects(config)}
    commands.kubectl(cluster, "apply", "--filename=-", stdin=json.dumps(manifest))
    controlplane.start_provisioner(cluster)


def _provisioner_config(cluster: layout.Cluster) -> dict[str, object]:
    paths = [{"node": node.name, "paths": [str(node.volumes)]} for node in cluster.nodes]
    return {"nodePathMap": paths}


def _objects(config: str) -> list[dict[str, object]]:
    helper = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "helper-pod"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "helper-pod", "image": images.SHELL, "imagePullPolicy": "Never"}],
        },
    }
    data = {
        "config.json": config,
        "setup": _SETUP,
        "teardown": _TEARDOWN,
        "helperPod.yaml": json.dumps(helper),
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "local-path-provisioner-service-account", "namespace": _NAMESPACE},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "local-path-config", "namespace": _NAMESPACE},
            "data": data,
        },
        _storage_class(),
    ]


def _storage_class() -> dict[str, object]:
    annotations = {
        "storageclass.kubernetes.io/is-default-class": "true",
        "defaultVolumeType": "local",
    }
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local-path", "annotations": annotations},
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
    }
