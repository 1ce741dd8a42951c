"""How the texts of settings become values: one small reader for each sort.

A reader takes a text and returns the value, or raises ValueError with how to fix it; the caller names the
flag, the variable or the field. They load no more than a worker needs at its start.
"""

import ipaddress
import re
from collections.abc import Callable

from modelsync.api.common import size_limits

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
