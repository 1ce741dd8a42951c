"""Which addresses are none of the internet, by the registries of IANA, in every form that carries them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.worker.http.special_addresses import faces, special

SPECIAL = {
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "this host": ("0.0.0.0", "0.1.2.3", "::"),
    "link-local": ("169.254.0.1", "169.254.169.254", "169.254.170.2", "fe80::1", "febf::1", "fe80::1%eth0"),
    "a cloud's metadata": (
        "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"),
    "a private network": (
        "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1",
        "100.127.255.255", "fc00::1", "fd20:ce::1", "fdff::1", "fec0::1", "feff::1"),
    "no single host": ("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "ff02::1", "ff0e::1"),
    "reserved": (
        "192.0.0.8", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255",
        "192.88.99.1", "64:ff9b:1::a00:1", "64:ff9b:1:ffff::1", "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1", "3ffe::1", "100::1", "200::1", "400::1",
        "5f00::1", "4000::1", "e000::1", "fe00::1"),
}  # fmt: skip
INTERNET = (
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00::1", "2001:200::1",
    "2001:4860:4860::8888", "2003::1", "2620:0:862::1",
)  # fmt: skip
FORMS = ("::ffff:{}", "::{}", "::ffff:0:{}", "64:ff9b::{}")


def sixtofour(address: str) -> str:
    return str(ipaddress.IPv6Address((0x2002 << 112) | int(ipaddress.IPv4Address(address)) << 80 | 1))


def isatap(network: str, address: str) -> str:
    return str(
        ipaddress.IPv6Address(
            int(ipaddress.IPv6Address(network)) | 0x5EFE << 32 | int(ipaddress.IPv4Address(address))
        )
    )


def names(text: str) -> set[str]:
    return {found.name for address in faces(text) if (found := special(address)) is not None}


@pytest.mark.parametrize(
    ("text", "name"), [(text, name) for name, texts in SPECIAL.items() for text in texts]
)
def test_a_special_address_is_known_in_every_form(text: str, name: str) -> None:
    assert names(text) == {name}
    if "." in text:
        for carrying in (*(form.format(text) for form in FORMS), sixtofour(text), isatap("2a00::", text)):
            if int(ipaddress.IPv6Address(carrying)) > 1:
                assert names(carrying) == {name}, carrying


@pytest.mark.parametrize("text", INTERNET)
def test_an_address_of_the_internet_is_none(text: str) -> None:
    assert names(text) == set()
    if "." in text:
        for carrying in (*(form.format(text) for form in FORMS), sixtofour(text), isatap("2a00::", text)):
            assert names(carrying) == set(), carrying


V4, V6 = (
    st.integers(0, 2**bits - 1).map(kind)
    for bits, kind in ((32, ipaddress.IPv4Address), (128, ipaddress.IPv6Address))
)
NEAR = st.sampled_from(
    [ipaddress.ip_address(text.partition("%")[0]) for text in (*INTERNET, *sum(SPECIAL.values(), ()))]
)


def _moved(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, by: int
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address some steps further, no further than there are any."""
    return type(address)(min(max(int(address) + by, 0), 2**address.max_prefixlen - 1))


@given(V4 | V6 | st.builds(_moved, NEAR, st.integers(-300, 300)))
def test_what_python_calls_private_is_special_whatever_its_version(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """The other way round Python lacks blocks, and which depends on its version."""
    for face in faces(str(address)):
        if not face.is_global and not _python_is_behind(face):
            assert special(face) is not None, face


def _python_is_behind(face: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """What is of the internet by the registry, and private for some Python."""
    return any(
        face in ipaddress.ip_network(block) for block in ("192.0.0.9/32", "192.0.0.10/32", "2002::/16")
    )
