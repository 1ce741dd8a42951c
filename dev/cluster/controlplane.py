"""etcd, the API server and its controllers, kube-proxy, and the two programs clusters add.

CoreDNS and the storage provisioner run as plain processes, not as pods: a machine without an
image registry then needs no image for them, and the cluster is complete seconds earlier.
"""

import collections.abc

from dev.cluster import daemons, images, layout

_ETCD = "http://127.0.0.1:2379"
# Who writes what is a promise of the operator's, so tests count writes here. Reads of Leases and
# Events and the probes of health are most of the traffic and say nothing.
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    verbs: [get, list, watch]
    resources:
      - group: coordination.k8s.io
        resources: [leases]
      - group: ""
        resources: [events]
      - group: events.k8s.io
        resources: [events]
  - level: None
    nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"]
  - level: Metadata
"""
_COREFILE = """\
.:53 {{
    bind {address}
    errors
    ready {address}:8181
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig} {context}
        ttl 5
    }}
    cache 5
{forward}}}
"""


def start_api(cluster: layout.Cluster) -> None:
    """Start etcd and the API server; `wait_for_api` returns when it serves."""
    data = cluster.folder / "etcd"
    data.mkdir(mode=0o700)
    # Nothing here has to outlive a power cut, and fsync is most of a small etcd's time.
    _start(
        cluster,
        "etcd",
        {
            "data-dir": data,
            "listen-client-urls": _ETCD,
            "advertise-client-urls": _ETCD,
            "unsafe-no-fsync": "true",
        },
    )
    (cluster.folder / "audit-policy.yaml").write_text(_AUDIT_POLICY)
    _start(cluster, "kube-apiserver", _apiserver_flags(cluster))


def wait_for_api(cluster: layout.Cluster) -> None:
    """Wait for /readyz: the controller manager gives up on an API server without its roles."""
    daemons.wait_for_url(cluster, "kube-apiserver", f"https://127.0.0.1:{layout.API_PORT}/readyz")


def start_controllers(cluster: layout.Cluster) -> None:
    """Start all that needs a serving API server."""
    _start(cluster, "kube-controller-manager", _controller_manager_flags(cluster))
    _start(cluster, "kube-scheduler", _client_flags(cluster, "kube-scheduler"))
    _start(cluster, "kube-proxy", _proxy_flags(cluster))
    corefile = cluster.folder / "Corefile"
    corefile.write_text(
        _COREFILE.format(
            address=cluster.nodes[0].address,
            domain=layout.DOMAIN,
            kubeconfig=cluster.folder / "coredns.kubeconfig",
            context=cluster.name,
            forward=f"    forward . {layout.UPLINK_DNS_ADDRESS}\n" if cluster.uplink else "",
        )
    )
    _start(cluster, "coredns", {"conf": corefile})


def start_provisioner(cluster: layout.Cluster) -> None:
    """Start the default storage class's provisioner; its ConfigMap must be there."""
    daemons.start(
        cluster,
        "local-path-provisioner",
        str(layout.binaries_folder() / "local-path-provisioner"),
        "start",
        f"--config={cluster.folder / 'local-path.json'}",
        f"--kubeconfig={cluster.folder / 'local-path-provisioner.kubeconfig'}",
        "--namespace=local-path-storage",
        f"--helper-image={images.SHELL}",
    )


def _start(cluster: layout.Cluster, component: str, flags: collections.abc.Mapping[str, object]) -> None:
    dashes = "-" if component == "coredns" else "--"
    arguments = [f"{dashes}{name}={value}" for name, value in flags.items()]
    daemons.start(cluster, component, str(layout.binaries_folder() / component), *arguments)


def _apiserver_flags(cluster: layout.Cluster) -> dict[str, object]:
    pki = cluster.folder / "pki"
    return {
        "etcd-servers": _ETCD,
        "service-cluster-ip-range": layout.SERVICE_NETWORK,
        "advertise-address": cluster.nodes[0].address,
        "secure-port": layout.API_PORT,
        "tls-cert-file": pki / "kube-apiserver.crt",
        "tls-private-key-file": pki / "kube-apiserver.key",
        "client-ca-file": pki / "ca.crt",
        "kubelet-client-certificate": pki / "apiserver-kubelet.crt",
        "kubelet-client-key": pki / "apiserver-kubelet.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-key-file": pki / "service-account.pub",
        "service-account-signing-key-file": pki / "service-account.key",
        "service-account-issuer": "https://kubernetes.default.svc",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "audit-policy-file": cluster.folder / "audit-policy.yaml",
        "audit-log-path": cluster.folder / "audit.log",
        "audit-log-maxsize": 500,
        "audit-log-maxbackup": 1,
    }


def _client_flags(cluster: layout.Cluster, component: str) -> dict[str, object]:
    kubeconfig = cluster.folder / f"{component}.kubeconfig"
    return {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "leader-elect": "false",
        "kube-api-qps": 200,
        "kube-api-burst": 400,
    }


def _controller_manager_flags(cluster: layout.Cluster) -> dict[str, object]:
    pki = cluster.folder / "pki"
    return _client_flags(cluster, "kube-controller-manager") | {
        "service-account-private-key-file": pki / "service-account.key",
        "root-ca-file": pki / "ca.crt",
        "cluster-signing-cert-file": pki / "ca.crt",
        "use-service-account-credentials": "true",
        # The nodes' pod networks are written by us; nobody has to hand out ranges.
        "allocate-node-cidrs": "false",
        # A claim that it fails to bind, since its own last write came between, it tries again after this
        # time; the default is 15 s, three times what a small sync takes.
        "pvclaimbinder-sync-period": "1s",
    }


def _proxy_flags(cluster: layout.Cluster) -> dict[str, object]:
    # One proxy serves all nodes, as they share the namespace. Its conntrack settings are system
    # wide sysctls, which are read-only from a network namespace and not ours to change.
    return {
        "kubeconfig": cluster.folder / "kube-proxy.kubeconfig",
        "proxy-mode": "iptables",
        "cluster-cidr": layout.POD_NETWORK,
        "hostname-override": cluster.nodes[0].name,
        "conntrack-max-per-core": 0,
        "conntrack-tcp-timeout-established": 0,
        "conntrack-tcp-timeout-close-wait": 0,
        "iptables-min-sync-period": "100ms",
    }
