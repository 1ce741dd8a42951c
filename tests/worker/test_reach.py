"""Which of a host's addresses may be connected to, by lists and by where a request has come by."""

import contextlib
import ipaddress

import pytest

from dev.faults.rows import addresses as rows
from modelsync.api.reasons import Reason
from modelsync.worker.connecting import Network
from modelsync.worker.failures import Failure
from modelsync.worker.model import Request
from modelsync.worker.reach import Forbidden, Reach, Trail, of_worker
from modelsync.worker.transport import Transport
from tests.origin.server import Origin

PUBLIC, PRIVATE, POD = "93.184.216.34", "192.168.7.8", "10.96.0.1"
CLUSTER, ONE_POD = ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("10.96.0.1/32")
OUTSIDE = Trail(outside=True)


@pytest.mark.parametrize(
    ("bounds", "trail", "addresses", "permitted"),
    [
        (of_worker(), Trail(), [PUBLIC, PRIVATE, POD], [PUBLIC, PRIVATE, POD]),
        (of_worker(), Trail(), ["169.254.169.254", PUBLIC, "::1"], [PUBLIC]),
        (of_worker(denied=[CLUSTER]), Trail(), [POD, PRIVATE], [PRIVATE]),
        (of_worker(denied=[CLUSTER], allowed=[ONE_POD]), Trail(), [POD, "10.96.0.2"], [POD]),
        (of_worker(), OUTSIDE, [PRIVATE, PUBLIC, POD, "100.64.0.1", "fd12::1"], [PUBLIC]),
        (of_worker(allowed=[CLUSTER]), OUTSIDE, [PRIVATE, POD], [POD]),
        (Reach(), Trail(), ["127.0.0.1", PRIVATE], ["127.0.0.1", PRIVATE]),
        (Reach(), OUTSIDE, ["127.0.0.1", "2606:4700::1111"], ["2606:4700::1111"]),
    ],
    ids=[
        "a worker reaches the internet and networks inside",
        "never the metadata or itself",
        "not what is denied",
        "what is allowed wins",
        "a redirect from outside leads to the internet alone",
        "and to what is allowed",
        "a person's own command reaches anything",
        "but is not led inside either",
    ],
)  # fmt: skip
def test_the_addresses_that_may_be_tried(
    bounds: Reach, trail: Trail, addresses: list[str], permitted: list[str]
) -> None:
    assert bounds.permitted(addresses, trail) == permitted
    connected = bounds.permitted(addresses, Trail())
    assert [address for address in connected if bounds.permits(address, trail)] == permitted


@pytest.mark.parametrize(
    ("addresses", "trail", "address", "why"),
    [
        (["127.0.0.1", "::1"], Trail(), "127.0.0.1", "loopback"),
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
        Origin(files).serving() as inside,
        Origin(files, host=rows.OUTSIDE).serving() as origin,
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
