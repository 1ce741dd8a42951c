"""Which hosts need no proxy: a cluster's usual NO_PROXY, form by form."""

import pytest

from modelsync.worker.http.no_proxy import spared

CLUSTER = (
    "localhost,127.0.0.1,10.0.0.0/8,.svc,.cluster.local,kubernetes,registry.corp:5000,*.mirror.corp,fd00::/8"
)
CASES = {
    "a block": (CLUSTER, "10.96.3.4", 80, True),
    "outside the block": (CLUSTER, "11.96.3.4", 80, False),
    "a block of IPv6": (CLUSTER, "[fd00::1]", 443, True),
    "an address": (CLUSTER, "127.0.0.1", 8080, True),
    "a mapped address": (CLUSTER, "::ffff:10.1.2.3", 80, True),
    "below a suffix": (CLUSTER, "minio.models.svc", 9000, True),
    "a suffix itself": (CLUSTER, "svc", 80, False),
    "a suffix within a name": (CLUSTER, "notsvc", 80, False),
    "a name": (CLUSTER, "Kubernetes", 443, True),
    "below a name": (CLUSTER, "api.kubernetes", 443, True),
    "a name's end": (CLUSTER, "mykubernetes", 443, False),
    "a name's port": (CLUSTER, "registry.corp", 5000, True),
    "another port": (CLUSTER, "registry.corp", 443, False),
    "a wildcard": (CLUSTER, "eu.mirror.corp", 443, True),
    "a wildcard's own name": (CLUSTER, "mirror.corp", 443, False),
    "a name with a dot at the end": (CLUSTER, "minio.models.svc.", 80, True),
    "everything": ("*", "example.org", 443, True),
    "everything among others": ("a, *", "example.org", 443, True),
    "blanks between": ("a.example b.example", "b.example", 443, True),
    "an address with a port": ("10.0.0.1:8080", "10.0.0.1", 8080, True),
    "an address with another port": ("10.0.0.1:8080", "10.0.0.1", 80, False),
    "an address of IPv6 with a port": ("[fd00::1]:8080", "fd00::1", 8080, True),
    "a block that is no block": ("10.0.0.0/99", "10.0.0.1", 80, False),
    "bits behind the prefix": ("10.1.2.3/8", "10.9.9.9", 80, True),
    "nothing": ("", "example.org", 443, False),
    "only commas": (",,", "example.org", 443, False),
    "a name for a block": ("10.0.0.0/8", "ten.example", 443, False),
}


@pytest.mark.parametrize(("exceptions", "host", "port", "expected"), CASES.values(), ids=CASES)
def test_a_host_is_spared_or_not(exceptions: str, host: str, port: int, expected: bool) -> None:
    assert spared(host, port, exceptions) is expected
