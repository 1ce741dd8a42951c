"""How the texts of settings become values: one small reader for each sort.

A reader takes the text of a flag or a variable and returns the value, or raises ValueError with the fix; who
asked, and under which name, is told by `operator_config`. Those that make values of the API stand in
`documents`, so that a worker's start need not load it for a number.
"""

import ipaddress
import re
from collections.abc import Callable

from modelsync.api.common import quantity, size_limits

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


def number(low: float, high: float, what: str) -> Callable[[str], float]:
    """Reads a number within bounds; `what` it is goes into the fix."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"must be {what} from {low:g} to {high:g}")
        return value

    return read


def whole(low: int, high: int, what: str) -> Callable[[str], int]:
    """Reads a whole number within bounds."""

    def read(text: str) -> int:
        if not text.strip().isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"must be {what} from {low} to {high}")
        return int(text)

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of a few words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read


def some_of(*words: str) -> Callable[[str], tuple[str, ...]]:
    """Reads some of a few words, with commas between; at least one."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(",") if part.strip())
        if not found or not set(found) <= set(words):
            raise ValueError(f"must be some of {', '.join(words)}, with commas between")
        return found

    return read


def text(given: str) -> str:
    """A text that is not empty."""
    if not given.strip():
        raise ValueError("must not be empty")
    return given.strip()


def truth(text: str) -> bool:
    """True or false."""
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False}
    known |= {"no": False, "off": False}
    if text.strip().lower() not in known:
        raise ValueError("must be true or false")
    return known[text.strip().lower()]


def proxy(text: str) -> str:
    """The address of a proxy; without a password, since it stands in every worker's Job."""
    if not re.match(r"(https?://)?[^/?#@\s]+/?\Z", text):
        raise ValueError(
            "must be the address of a proxy such as http://proxy.example.org:3128; a user and password would"
            " be readable in every worker's Job"
        )
    return text


def namespace(text: str) -> str:
    """The name of a namespace."""
    if not NAME.match(text):
        raise ValueError("must be the name of a namespace: lower case letters, digits and '-'")
    return text


def object_name(text: str) -> str:
    """The name of a Kubernetes object."""
    if len(text) > 253 or not re.match(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z", text):
        raise ValueError("must be the name of an object: lower case letters, digits, '-' and '.'")
    return text


def object_names(text: str) -> tuple[str, ...]:
    """Names of Kubernetes objects, with commas between."""
    return tuple(dict.fromkeys(object_name(part.strip()) for part in text.split(",") if part.strip()))


def namespaces(text: str) -> tuple[str, ...]:
    """Names of namespaces, with commas between."""
    return tuple(dict.fromkeys(namespace(part.strip()) for part in text.split(",") if part.strip()))


def blocks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """CIDR blocks, with commas between."""
    if len(text) > size_limits.MOST_BLOCKS_TEXT:
        raise ValueError(
            f"must have at most {size_limits.MOST_BLOCKS_TEXT} characters, since it travels with every work"
            " request: name larger blocks"
        )
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        text = "must be CIDR blocks such as 10.0.0.0/8,fd00::/8, with no bits set behind the prefix"
        raise ValueError(text) from None


def url(text: str) -> str:
    """A base URL."""
    if not re.match(r"https?://[^/?#@\s]+(/[^?#@\s]*)?\Z", text):
        raise ValueError(
            "must be a base URL such as https://hub.example.org, without user, query or fragment"
        )
    return text.rstrip("/")


def byte_count(text: str) -> int:
    """A quantity of bytes that suits as a chunk."""
    try:
        value = quantity.parse_bytes(text)
    except ValueError:
        value = 0
    if not 64 * 1024 <= value <= 2**30:
        raise ValueError("must be a quantity of bytes from 64Ki to 1Gi, such as 8Mi")
    return value
