"""One certificate authority and every identity of the control plane, made new at each start.

Elliptic curve keys throughout: a dozen RSA keys would cost more time than the API server's start.
Every component has a name of its own, so the audit log shows who wrote what.
"""

import base64
import dataclasses
import datetime
import ipaddress
import json
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dev.cluster import layout

_LIFETIME = datetime.timedelta(days=365)
_ADMINISTRATORS = "system:masters"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The cluster's CA: it signs server and client certificates alike."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a certificate speaks for: user name, group, and addresses if it serves."""

    user: str
    group: str | None = None
    hosts: tuple[str, ...] = ()


def identities(cluster: layout.Cluster) -> dict[str, Identity]:
    """Return all identities of the cluster by the name of their files."""
    addresses = tuple(node.address for node in cluster.nodes)
    service = "kubernetes.default.svc"
    api_hosts = ("localhost", "127.0.0.1", layout.KUBERNETES_SERVICE_ADDRESS, *addresses)
    found = {
        "kube-apiserver": Identity(
            user="kube-apiserver",
            hosts=(*api_hosts, "kubernetes", service, f"{service}.{layout.DOMAIN}"),
        ),
        "apiserver-kubelet": Identity(user="kube-apiserver-kubelet", group=_ADMINISTRATORS),
        "admin": Identity(user="admin", group=_ADMINISTRATORS),
        "coredns": Identity(user="coredns", group=_ADMINISTRATORS),
        "local-path-provisioner": Identity(user="local-path-provisioner", group=_ADMINISTRATORS),
        "kube-controller-manager": Identity(user="system:kube-controller-manager"),
        "kube-scheduler": Identity(user="system:kube-scheduler"),
        "kube-proxy": Identity(user="system:kube-proxy"),
    }
    for node in cluster.nodes:
        found[node.name] = Identity(
            user=f"system:node:{node.name}",
            group="system:nodes",
            hosts=(node.name, node.address),
        )
    return found


def write(cluster: layout.Cluster) -> None:
    """Write CA, key pairs and a kubeconfig for each identity into the state folder."""
    folder = cluster.folder / "pki"
    folder.mkdir(parents=True, exist_ok=True)
    authority = _make_authority()
    (folder / "ca.crt").write_bytes(_pem(authority.certificate))
    _write_service_account_keys(folder)
    for name, identity in identities(cluster).items():
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(authority, identity, key)
        _write_secret(folder / f"{name}.key", _key_pem(key))
        (folder / f"{name}.crt").write_bytes(_pem(certificate))
        _write_secret(
            cluster.folder / f"{name}.kubeconfig",
            json.dumps(_kubeconfig(cluster, authority, certificate, key), indent=1).encode(),
        )


def _write_service_account_keys(folder: pathlib.Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    _write_secret(folder / "service-account.key", _key_pem(key))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "service-account.pub").write_bytes(public)


def _make_authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(Identity(user="modelsync development cluster"))
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key(), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


def _sign(authority: Authority, identity: Identity, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if identity.hosts:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    builder = _builder(
        _name(identity), authority.certificate.subject, key.public_key(), authority.key.public_key()
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if identity.hosts:
        names = x509.SubjectAlternativeName([_host(host) for host in identity.hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    # Python 3.13 checks certificates strictly (VERIFY_X509_STRICT): both key identifiers must be there.
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _name(identity: Identity) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, identity.user)]
    if identity.group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group))
    return x509.Name(parts)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _kubeconfig(
    cluster: layout.Cluster,
    authority: Authority,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> dict[str, object]:
    name = cluster.name
    server = f"https://{cluster.nodes[0].address}:{layout.API_PORT}"
    trust = {"server": server, "certificate-authority-data": _base64(_pem(authority.certificate))}
    user = {
        "client-certificate-data": _base64(_pem(certificate)),
        "client-key-data": _base64(_key_pem(key)),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": trust}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_secret(path: pathlib.Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
