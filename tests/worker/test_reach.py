"""Which of a host's addresses may be connected to, by lists and by where a request has come by."""

import contextlib
import ipaddress

import pytest

from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Request
from modelsync.worker.http.address_policy import Forbidden, Reach, Trail, of_worker
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from tests.faults.rows import addresses as rows

PUBLIC, PRIVATE, POD = "93.184.216.34", "192.168.7.8", "10.96.0.1"
CLUSTER, ONE_POD = ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("10.96.0.1/32")
EVERYTHING, METADATA = ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("169.254.169.254/32")
OUTSIDE = Trail(outside=True)


NETS = [
    ipaddress.ip_network(block) for block in ("10.0.0.0/8", "192.168.0.0/16", "fc00::/7", "100.64.0.0/10")
]
CASES = {
    "a worker reaches the internet alone": (of_worker(), Trail(), [PUBLIC, PRIVATE, POD], [PUBLIC]),
    "never the metadata or itself": (of_worker(), Trail(), ["169.254.169.254", PUBLIC, "::1"], [PUBLIC]),
    "and what is allowed": (of_worker(allowed=[CLUSTER]), Trail(), [POD, PRIVATE], [POD]),
    "not what is denied within that": (
        of_worker(allowed=[CLUSTER], denied=[ONE_POD]), Trail(), [POD, "10.96.0.2"], ["10.96.0.2"]),
    "but what is allowed within what is denied": (
        of_worker(denied=[CLUSTER], allowed=[ONE_POD]), Trail(), [POD, "10.96.0.2"], [POD]),
    "nothing that is both": (
        of_worker(denied=[ONE_POD], allowed=[ONE_POD]), Trail(), [POD, PUBLIC], [PUBLIC]),
    "not the internet where all of it is denied": (
        of_worker(denied=[EVERYTHING], allowed=[CLUSTER]), Trail(), [PUBLIC, POD], [POD]),
    "nothing special by allowing all": (of_worker(allowed=[EVERYTHING]), Trail(), [POD, "127.0.0.1"], []),
    "no metadata by allowing private networks": (
        of_worker(allowed=NETS), Trail(),
        [POD, "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "fd12::1", "169.254.169.254"],
        [POD, "fd12::1"]),
    "the metadata where it is named itself": (
        of_worker(allowed=[METADATA]), Trail(), ["169.254.169.254", "169.254.169.253"], ["169.254.169.254"]),
    "what is carried is allowed as itself": (
        of_worker(allowed=[CLUSTER]), Trail(), ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "::ffff:192.168.0.1"],
        ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1"]),
    "a redirect from outside leads to the internet alone": (
        of_worker(), OUTSIDE, [PRIVATE, PUBLIC, POD, "100.64.0.1", "fd12::1"], [PUBLIC]),
    "and to what is allowed": (of_worker(allowed=[CLUSTER]), OUTSIDE, [PRIVATE, POD], [POD]),
    "a person's own command reaches anything": (
        Reach(), Trail(), ["127.0.0.1", PRIVATE], ["127.0.0.1", PRIVATE]),
    "but is not led inside either": (
        Reach(), OUTSIDE, ["127.0.0.1", "2606:4700::1111"], ["2606:4700::1111"]),
}  # fmt: skip


@pytest.mark.parametrize(("bounds", "trail", "addresses", "permitted"), CASES.values(), ids=CASES)
def test_the_addresses_that_may_be_tried(
    bounds: Reach, trail: Trail, addresses: list[str], permitted: list[str]
) -> None:
    def ask(trail: Trail) -> list[str]:
        with contextlib.suppress(Forbidden):
            return list(bounds.permitted(addresses, trail))
        return []

    assert ask(trail) == permitted
    assert [address for address in ask(Trail()) if bounds.permits(address, trail)] == permitted


@pytest.mark.parametrize(
    ("addresses", "trail", "address", "why"),
    [
        (["127.0.0.1", "::1"], Trail(), "127.0.0.1", "loopback"),
        ([PRIVATE], Trail(), PRIVATE, "a private network"),
        (["::ffff:169.254.169.254"], Trail(), "::ffff:169.254.169.254", "link-local"),
        ([POD], Trail(), POD, "denied by the operator's configuration"),
        (["fe80::1%eth0"], Trail(), "fe80::1%eth0", "link-local"),
        (["fd00:ec2::254"], Trail(), "fd00:ec2::254", "a cloud's metadata"),
        ([PRIVATE], OUTSIDE, PRIVATE, "inside, where the internet"),
    ],
)
def test_a_host_without_a_permitted_address_is_refused_with_the_first(
    addresses: list[str], trail: Trail, address: str, why: str
) -> None:
    with pytest.raises(Forbidden) as caught:
        of_worker(denied=[CLUSTER]).permitted(addresses, trail)
    assert caught.value.address == address
    assert caught.value.why.startswith(why)


def test_a_trail_remembers_the_internet() -> None:
    trail = Trail()
    for address, outside in ((None, False), (PRIVATE, False), ("::ffff:10.0.0.1", False), (PUBLIC, True)):
        trail.passed(address)
        assert trail.outside is outside
    trail.passed(PRIVATE)
    assert trail.outside


def test_a_redirect_inwards_is_not_followed_on_a_connection_that_is_open_already() -> None:
    files = {"x": b"12345678"}
    with (
        Origin(files) as inside,
        Origin(files, host=rows.OUTSIDE) as origin,
        rows.internet(),
    ):
        origin.strike("x", f"redirect={inside.url}/web/xx*")
        transport = Transport(Network())
        with contextlib.closing(transport):
            assert transport.get(Request(url=f"{inside.url}/web/x"), {}).response.read() == b"12345678"
            with pytest.raises(Failure) as caught:
                transport.get(Request(url=f"{origin.url}/web/x"), {})
        assert caught.value.reason is Reason.ADDRESS_FORBIDDEN
        assert len(inside.log) == 1
