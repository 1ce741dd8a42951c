"""Which addresses are none of the internet, and what they are called.

Own tables, since what Python's ipaddress calls global differs by its version (3.11 and 3.13 disagree on a
dozen blocks) and knows no clouds' metadata services. The sources are the IANA registries of special-purpose
addresses (RFC 6890; iana.org/assignments/iana-ipv4-special-registry, and -ipv6-) and the clouds'
documentation. For IPv6 only 2000::/3 is given to the internet at all, so what is unknown is not of it.

An IPv6 address may carry an IPv4 one, to which a translator or tunnel would lead: then that counts too.
"""

import functools
import ipaddress
from typing import NamedTuple

from modelsync.api.protocol import AddressBlock

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PRIVATE = "a private network"
_SPECIAL = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "this host": ("0.0.0.0/8", "::/128"),  # RFC 791, RFC 4291
    "link-local": ("169.254.0.0/16", "fe80::/10"),  # RFC 3927, RFC 4291
    "a cloud's metadata": (
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "168.63.129.16/32",  # Azure
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
    ),
    PRIVATE: (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # RFC 1918
        "100.64.0.0/10",  # RFC 6598, shared behind carriers' translators; Pods and nodes of some clouds
        "fc00::/7",  # RFC 4193
        "fec0::/10",  # RFC 3879, site-local of before
    ),
    "no single host": ("224.0.0.0/4", "240.0.0.0/4", "ff00::/8"),  # RFC 5771, RFC 1112, RFC 4291
    "reserved": (
        "192.0.0.0/24",  # RFC 6890, IETF protocols
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  # RFC 5737, documentation
        "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24",  # RFC 7535, RFC 7450, RFC 7534
        "192.88.99.0/24",  # RFC 7526, relays of 6to4 of before
        "198.18.0.0/15",  # RFC 2544, benchmarks
        "64:ff9b:1::/48",  # RFC 8215: a local translator, and only it knows where its IPv4 addresses are
        "2001::/23",  # RFC 2928, IETF protocols; among them Teredo (2001::/32, RFC 4380) and ORCHID
        "2001:db8::/32", "3fff::/20",  # RFC 3849, RFC 9637, documentation
        "2620:4f:8000::/48",  # RFC 7534
        "3ffe::/16",  # RFC 3701, 6bone of before
    ),
}  # fmt: skip
_INTERNET = ipaddress.IPv6Network("2000::/3")
_REST = ipaddress.IPv6Network("::/0")
_BLOCKS = tuple(
    sorted(
        ((ipaddress.ip_network(block), name) for name, blocks in _SPECIAL.items() for block in blocks),
        key=lambda found: -found[0].prefixlen,
    )
)
"""The narrowest first, since it decides."""
_LAST_32_BITS = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "::/96",  # RFC 4291, IPv4-compatible
            "::ffff:0:0/96",  # RFC 4291, IPv4-mapped
            "::ffff:0:0:0/96",  # RFC 2765, IPv4-translated
            "64:ff9b::/96",  # RFC 6052, NAT64
        ),
    )
)
_6TO4 = ipaddress.IPv6Network("2002::/16")
"""RFC 3056: the 32 bits behind the prefix."""
_ISATAP = {0x00005EFE, 0x02005EFE}
"""RFC 5214: bits 64 to 95 of an address of any network; the IPv4 address is behind them."""


class Special(NamedTuple):
    """Why an address is none of the internet."""

    block: AddressBlock
    name: str


@functools.lru_cache(maxsize=256)
def faces(text: str) -> tuple[Address, ...]:
    """All addresses that connecting to one may lead to; kept, since it is asked for each request."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    number = int(address)
    last = ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if number > 1 and any(address in block for block in _LAST_32_BITS):
        return (last,)
    if address in _6TO4:
        return (ipaddress.IPv4Address(number >> 80 & 0xFFFFFFFF),)
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        return address, last
    return (address,)


@functools.lru_cache(maxsize=256)
def special(address: Address) -> Special | None:
    """What an address is by the registries; None for one of the internet."""
    for block, name in _BLOCKS:
        if address in block:
            return Special(block, name)
    if isinstance(address, ipaddress.IPv6Address) and address not in _INTERNET:
        return Special(_REST, "reserved")
    return None
