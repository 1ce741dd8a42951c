"""The cluster's network namespace: no address of it is visible outside, nothing leaves it.

The node addresses sit on a bridge called eth0, since not every kernel has dummy links. Pods hang
on routed point-to-point links, not on a bridge: then each packet between two pods of one node
passes the namespace's routing, so that Service addresses work without the br_netfilter module.
"""

import json
import time

from dev.cluster import commands, daemons, layout

CNI_PLUGINS = "/usr/lib/cni"


def create(cluster: layout.Cluster) -> None:
    """Make the namespace with its loopback, node addresses, default route and forwarding."""
    commands.run("ip", "netns", "add", cluster.namespace)
    steps = ["link set lo up", "link add eth0 type bridge", "link set eth0 up"]
    steps += [f"address add {node.address}/24 dev eth0" for node in cluster.nodes]
    if not cluster.uplink:
        # Nobody answers at the gateway. Without a default route, though, a packet to a Service
        # address would be refused before kube-proxy's rules could rewrite it.
        steps.append(f"route add default via {layout.GATEWAY_ADDRESS}")
    commands.run(*commands.inside(cluster, "ip", "-batch", "-"), stdin="\n".join(steps))
    commands.run(*commands.inside(cluster, "sysctl", "-qw", "net.ipv4.ip_forward=1"))


def start_uplink(cluster: layout.Cluster) -> None:
    """Let pods reach what this machine reaches, through a process that speaks for them.

    slirp4netns and not a routed link: it changes nothing in the machine's own firewall and
    routes, uses the machine's resolver, and is gone with the cluster's other processes.
    """
    isolation = ("--disable-host-loopback", "--netns-type=path", "--mtu=65520")
    command = ("slirp4netns", "--configure", *isolation, str(cluster.namespace_path), "uplink")
    daemons.start(cluster, "uplink", *command, inside=False)
    deadline = time.monotonic() + 10
    while not commands.succeeds(*commands.inside(cluster, "ip", "route", "get", "192.0.2.1")):
        daemons.require_alive(cluster, "uplink")
        if time.monotonic() > deadline:
            raise layout.ClusterError("the uplink gives no route; see `logs uplink`")
        time.sleep(0.1)
    masquerade = "iptables --table nat --append POSTROUTING --out-interface uplink --jump MASQUERADE"
    commands.run(*commands.inside(cluster, *masquerade.split()))


def write_cni(cluster: layout.Cluster, node: layout.Node) -> None:
    """Write the node's pod network; its name carries the cluster's, for `stop` to find."""
    pods = {
        "type": "ptp",
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": node.pod_subnet}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(node.folder / "cni-addresses"),
        },
    }
    host_ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    conflist = {"cniVersion": "1.0.0", "name": node.network, "plugins": [pods, host_ports]}
    folder = node.folder / "cni"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "10-pods.conflist").write_text(json.dumps(conflist, indent=1))
