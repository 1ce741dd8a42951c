"""Names, addresses and paths of a cluster; every other module asks here.

All names follow from the cluster's own name alone. So `stop` finds everything a killed `start`
left behind without having to trust what that start managed to write down.
"""

import dataclasses
import functools
import os
import pathlib

DEFAULT_NAME = "modelsync"
NODE_NETWORK = "10.10.0"
ORIGIN_ADDRESS = f"{NODE_NETWORK}.1"
GATEWAY_ADDRESS = f"{NODE_NETWORK}.254"
UPLINK_DNS_ADDRESS = "10.0.2.3"
SERVICE_NETWORK = "10.96.0.0/16"
KUBERNETES_SERVICE_ADDRESS = "10.96.0.1"
POD_NETWORK = "10.244.0.0/16"
API_PORT = 6443
DOMAIN = "cluster.local"
LESS_COLLECTING = {"GOGC": "400"}
"""For programs in Go: a cluster that lives for minutes has memory to spare, and kubectl takes a quarter less
processor time so (`kubectl apply`: 0.16 s in place of 0.21 s)."""


class ClusterError(Exception):
    """One sentence for the user, and the exit code that goes with it (2: nothing was changed)."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def cache_folder() -> pathlib.Path:
    """Return the folder for everything that can be made again: binaries, images, clusters."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "modelsync"


def binaries_folder() -> pathlib.Path:
    """Return the folder of the built binaries (kubectl, helm, versitygw, the daemons)."""
    return cache_folder() / "bin"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One kubelet with its own containerd; `index` counts from 1."""

    index: int
    folder: pathlib.Path
    cgroup: str
    network: str

    @property
    def name(self) -> str:
        """The Node object's name."""
        return f"node-{self.index}"

    @property
    def address(self) -> str:
        """The node's InternalIP."""
        return f"{NODE_NETWORK}.{self.index}"

    @property
    def pod_subnet(self) -> str:
        """The addresses of the node's pods."""
        return f"10.244.{self.index}.0/24"

    @property
    def socket(self) -> pathlib.Path:
        """The node's containerd socket."""
        return self.folder / "containerd.sock"

    @property
    def volumes(self) -> pathlib.Path:
        """Where the dynamic storage class makes this node's volumes."""
        return self.folder / "volumes"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster by name, whether it runs or not."""

    name: str
    node_count: int = 2
    uplink: bool = False

    @property
    def folder(self) -> pathlib.Path:
        """The state folder; it exists exactly while there is something to stop."""
        return cache_folder() / "cluster" / self.name

    @property
    def namespace(self) -> str:
        """The network namespace, and the prefix of all that must live outside of the folder."""
        return f"msdev-{self.name}"

    @property
    def namespace_path(self) -> pathlib.Path:
        """Where iproute2 keeps the namespace."""
        return pathlib.Path("/run/netns") / self.namespace

    @property
    def cgroup(self) -> str:
        """The cgroup of all of the cluster's processes, pods included."""
        return self.namespace

    @property
    def kubeconfig(self) -> pathlib.Path:
        """The administrator's kubeconfig."""
        return self.folder / "admin.kubeconfig"

    @property
    def ready_file(self) -> pathlib.Path:
        """Written last by `start`: a folder without it belongs to a start that never finished."""
        return self.folder / "ready"

    @functools.cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, the first one at the address where origins of the tests listen."""
        return tuple(
            Node(
                index=index,
                folder=self.folder / "nodes" / f"node-{index}",
                cgroup=f"{self.cgroup}/node-{index}",
                network=f"{self.namespace}-node-{index}",
            )
            for index in range(1, self.node_count + 1)
        )

    def log(self, component: str) -> pathlib.Path:
        """Return the log file of a component, as `status` names it."""
        return self.folder / "logs" / f"{component}.log"
