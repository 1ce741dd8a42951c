"""Which addresses a download may connect to.

Anyone who may create a ModelSync names hosts, and is not always meant to reach what its worker can: the node,
the cloud's metadata service, the insides of the cluster. Names prove nothing, since their owner decides at
each lookup what they resolve to. So addresses are judged, right before they are connected to, at the
first hop and at every redirect.

A worker reaches the internet; anything else only where the operator's configuration allows it. Of the blocks
that hold an address the narrowest decides, so that 10.0.0.0/8 may be allowed without the cluster's Services
in it, and fc00::/7 without the clouds' metadata.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelsync.api.protocol import AddressBlock
from modelsync.worker.http.special_addresses import Address, faces, special

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
    """The addresses that may be connected to."""

    allowed: tuple[AddressBlock, ...] = ()
    denied: tuple[AddressBlock, ...] = ()
    internet_only: bool = False
    """Whether what is none of the internet has to be allowed; else it only may not be redirected to from
    there."""

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
        whys = (self._face(address, trail, inside=not _of_the_internet(text)) for address in faces(text))
        return next(filter(None, whys), None)

    def _face(self, address: Address, trail: Trail, *, inside: bool) -> str | None:
        known = special(address)
        allowed, denied = _narrowest(address, self.allowed), _narrowest(address, self.denied)
        if denied >= max(allowed, 0):
            return _DENIED
        if allowed >= (known.block.prefixlen if known else 0):
            return None
        if trail.outside and inside:
            return _INWARDS
        return known.name if known and self.internet_only else None


def _narrowest(address: Address, blocks: Iterable[AddressBlock]) -> int:
    """Length of the longest prefix that holds the address; -1 for none."""
    return max((block.prefixlen for block in blocks if address in block), default=-1)


def of_worker(allowed: Iterable[AddressBlock] = (), denied: Iterable[AddressBlock] = ()) -> Reach:
    """A worker's reach; the blocks are those of the operator's configuration."""
    return Reach(allowed=tuple(allowed), denied=tuple(denied), internet_only=True)


@functools.lru_cache(maxsize=256)
def _of_the_internet(text: str) -> bool:
    """Asked for each request, so it is kept."""
    return all(special(address) is None for address in faces(text))
