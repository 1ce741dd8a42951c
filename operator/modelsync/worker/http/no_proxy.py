"""Which hosts need no proxy: NO_PROXY as Go's programs and requests read it.

There is no standard. A cluster's usual value has host names, `.svc`, CIDR blocks and addresses, and what
kubelets and kubectl take of it (golang.org/x/net/http/httpproxy) is taken here: entries with commas or blanks
between, each a name (with all below it), a name with `.` or `*.` before (what is below it only), an address,
a CIDR block, any of the first three with a port, or `*` for everything.
"""

import functools
import ipaddress
from dataclasses import dataclass

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Block = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One exception."""

    name: str = ""
    below_only: bool = False
    block: _Block | None = None
    port: int | None = None

    def means(self, host: str, address: _Address | None, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.block is not None:
            return address is not None and address in self.block
        return host.endswith(f".{self.name}") or (host == self.name and not self.below_only)


def spared(host: str, port: int, exceptions: str) -> bool:
    """Whether a host is asked without a proxy."""
    if "*" in exceptions.replace(",", " ").split():
        return True
    name = host.lower().strip("[]").rstrip(".")
    address = _address(name)
    return any(entry.means(name, address, port) for entry in _entries(exceptions))


@functools.lru_cache(maxsize=16)
def _entries(exceptions: str) -> tuple[_Entry, ...]:
    return tuple(_entry(text.lower()) for text in exceptions.replace(",", " ").split())


def _entry(text: str) -> _Entry:
    block = _block(text)
    if block is not None:
        return _Entry(block=block)
    host, port = _split(text)
    block = _block(host.strip("[]"))
    if block is not None:
        return _Entry(block=block, port=port)
    name = host.removeprefix("*").rstrip(".")
    return _Entry(name=name.removeprefix("."), below_only=name.startswith("."), port=port)


def _split(text: str) -> tuple[str, int | None]:
    """Host and port, where there is one."""
    host, colon, port = text.rpartition(":")
    return (host, int(port)) if colon and port.isdecimal() and len(port) < 6 else (text, None)


def _block(text: str) -> _Block | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
