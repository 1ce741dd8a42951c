"""A node: containerd and a kubelet with folders, pod network and cgroup of their own.

Several nodes share one machine and one network namespace; what keeps them apart is their address,
their pod subnet, their containerd and their `cgroupRoot`.
"""

import collections.abc
import json
import pathlib

from dev.cluster import cgroups, commands, daemons, images, layout, network

_CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_plugins}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{folder}/runc"
"""


def start_containerd(cluster: layout.Cluster, node: layout.Node) -> None:
    """Start the node's container runtime; it needs no API server."""
    node.volumes.mkdir(parents=True)
    network.write_cni(cluster, node)
    cgroups.create(node.cgroup)
    config = node.folder / "containerd.toml"
    config.write_text(
        _CONTAINERD.format(
            folder=node.folder,
            socket=node.socket,
            pause=images.PAUSE,
            cni_plugins=network.CNI_PLUGINS,
        )
    )
    daemons.start(cluster, f"containerd-{node.index}", "containerd", "--config", str(config))


def load_images(
    cluster: layout.Cluster, node: layout.Node, archives: collections.abc.Iterable[pathlib.Path]
) -> None:
    """Import image archives into the node's containerd, where kubelets look (`k8s.io`)."""
    daemons.wait_for_file(cluster, f"containerd-{node.index}", node.socket)
    for archive in archives:
        ctr = ("ctr", "--address", str(node.socket), "--namespace", "k8s.io")
        commands.run(*ctr, "images", "import", str(archive), timeout=600)


def start_kubelet(cluster: layout.Cluster, node: layout.Node) -> None:
    """Start the node's kubelet; the node registers itself."""
    config = node.folder / "kubelet.json"
    config.write_text(json.dumps(_kubelet_configuration(cluster, node), indent=1))
    daemons.start(
        cluster,
        f"kubelet-{node.index}",
        str(layout.binaries_folder() / "kubelet"),
        f"--config={config}",
        f"--kubeconfig={cluster.folder / f'{node.name}.kubeconfig'}",
        f"--root-dir={node.folder / 'kubelet'}",
        f"--cert-dir={node.folder / 'kubelet-pki'}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
    )


def _kubelet_configuration(cluster: layout.Cluster, node: layout.Node) -> dict[str, object]:
    pki = cluster.folder / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "healthzPort": 10248 + 1000 * (node.index - 1),
        "tlsCertFile": str(pki / f"{node.name}.crt"),
        "tlsPrivateKeyFile": str(pki / f"{node.name}.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        # Kubernetes 1.35 refuses version 1 unless this is false; Debian 12's containerd is content.
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [cluster.nodes[0].address],
        "clusterDomain": layout.DOMAIN,
        "resolvConf": "",
        "podLogsDir": str(node.folder / "pod-logs"),
        "volumePluginDir": str(node.folder / "volume-plugins"),
        # The disk is the developer's, and mostly full of other things.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 99,
        "imageGCLowThresholdPercent": 98,
        # Tests wait for what the kubelet reports; the defaults are made for large clusters.
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
    }
