"""Which addresses a download may connect to.

Whoever may create a ModelSync names hosts, and is not always meant to reach what its worker can: the node,
the cloud's metadata service, the insides of the cluster. Names prove nothing, since their owner decides at
each lookup anew what they resolve to. So addresses are judged, right before they are connected to, at the
first hop and at every redirect.
"""

import functools
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""
_NEVER = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "this host": ("0.0.0.0/8", "::/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "a cloud's metadata": ("fd00:ec2::/32", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"),
    "no single host": ("224.0.0.0/4", "240.0.0.0/4", "ff00::/8"),
}
"""What no origin of models is, by what it is called (RFC 6890; the metadata services of AWS over IPv6, Azure,
Alibaba and Oracle; those of the others are link-local)."""
_DENIED = "denied by the operator's configuration"
_INWARDS = "inside, where the internet may not redirect to"


class Forbidden(Exception):
    """None of a host's addresses may be connected to."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(address, why)
        self.address, self.why = address, why


@dataclass(slots=True)
class Trail:
    """Where one request has come by, redirect after redirect."""

    outside: bool = False
    """Whether any hop was an address of the internet."""

    def passed(self, address: str | None) -> None:
        """A hop answered; None where a proxy alone knows its address."""
        self.outside = self.outside or (address is not None and _of_the_internet(address))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The addresses that may be connected to: what is allowed, else what is not denied."""

    allowed: tuple[Block, ...] = ()
    denied: tuple[tuple[Block, str], ...] = ()
    """With what they are called."""

    def permitted(self, addresses: Sequence[str], trail: Trail) -> Sequence[str]:
        """Those of a host's addresses that may be tried, in their order; raises Forbidden for none."""
        whys = {address: self._why_not(address, trail) for address in addresses}
        left = [address for address, why in whys.items() if why is None]
        for address, why in whys.items():
            if not left and why is not None:
                raise Forbidden(address, why)
        return left

    def permits(self, address: str | None, trail: Trail) -> bool:
        """Whether a connection that was permitted to lead there serves this request too; always where a proxy
        alone knows."""
        if address is None or not trail.outside or _of_the_internet(address):
            return True
        return self._why_not(address, trail) is None

    def _why_not(self, text: str, trail: Trail) -> str | None:
        address = _known(text)
        if any(address in block for block in self.allowed):
            return None
        if trail.outside and not _of_the_internet(text):
            return _INWARDS
        return next((why for block, why in self.denied if address in block), None)


def of_worker(allowed: Iterable[Block] = (), denied: Iterable[Block] = ()) -> Reach:
    """A worker's reach; the blocks are those of the operator's configuration."""
    always = [(ipaddress.ip_network(block), name) for name, blocks in _NEVER.items() for block in blocks]
    return Reach(allowed=tuple(allowed), denied=(*always, *((block, _DENIED) for block in denied)))


@functools.lru_cache(maxsize=256)
def _of_the_internet(text: str) -> bool:
    """Kept, since it takes 5 us and is asked for every request."""
    return _known(text).is_global


def _known(text: str) -> Address:
    """An address as it is judged: an IPv4 address wrapped into an IPv6 one is the IPv4 address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
