"""URLs: taken apart to be asked, joined, shown without their secrets.

Taking apart is urllib3's, which quotes what a person wrote as a browser does. Most URLs are quoted already,
thousands of them alike: one pattern recognises these, since for a small file that care is a good part of all
that it costs.
"""

import functools
import re
import urllib.parse
from typing import NamedTuple

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

_PLAIN = re.compile(
    r"(https?)://([a-z0-9.-]+)(?::([1-9][0-9]{0,4}))?(/(?:[!$&-;=?-Z_a-z~]|%[0-9A-Fa-f]{2})*)"
)
"""Lower-case scheme and host, and a path and query of what RFC 3986 allows there; no dot segment."""
_BEHIND, _USER = re.compile(r"[?#]"), re.compile(r"^([^/]*//)[^/]*@")
PORTS = {"http": 80, "https": 443}
"""Of the schemes that can be asked, where a URL names none."""


class Origin(NamedTuple):
    """An origin (RFC 6454): what a connection leads to and a credential is bound to."""

    scheme: str
    host: str
    """In lower case, an IPv6 address without brackets."""
    port: int

    @property
    def authority(self) -> str:
        """As the header Host has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


class Url(NamedTuple):
    """A URL that can be asked."""

    origin: Origin
    target: str
    """Path and query, quoted."""


def parsed(text: str) -> Url:
    """A URL taken apart; raises ValueError for one that cannot be asked, with the reason in words."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None and "/." not in text:
        scheme, host, port, target = plain.groups()
        return Url(_origin(scheme, host, int(port) if port else PORTS[scheme]), target)
    try:
        found = parse_url(text)
    except LocationParseError:
        raise ValueError("its host or port is malformed") from None
    if found.scheme not in PORTS or not found.host:
        raise ValueError("it is neither http nor https")
    port_number = PORTS[found.scheme] if found.port is None else found.port
    return Url(_origin(found.scheme, found.host.strip("[]").lower(), port_number), found.request_uri)


@functools.lru_cache(maxsize=256)
def _origin(scheme: str, host: str, port: int) -> Origin:
    """The origin, if a socket can be asked for it; what the parsers let pass would raise only there. Kept,
    since thousands of small files come from one origin, and the codec costs more than all the rest here."""
    if not 1 <= port <= 65535:
        raise ValueError("its port is not between 1 and 65535")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("its host is no name: a part is empty or longer than 63 characters") from None
    return Origin(scheme, host, port)


def host_of(text: str) -> str:
    """The host of a URL for messages, or 'the origin'."""
    try:
        return parsed(text).origin.host
    except ValueError:
        return "the origin"


def joined(base: str, location: str) -> str:
    """Where a Location leads to from a URL (RFC 3986, section 5); raises ValueError."""
    return location if _PLAIN.fullmatch(location) else urllib.parse.urljoin(base, location)


def shown(text: str) -> str:
    """A URL for messages, malformed or not: without query, fragment and user information."""
    return _USER.sub(r"\1", _BEHIND.split(text, maxsplit=1)[0])
