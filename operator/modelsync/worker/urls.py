"""URLs: taken apart to be asked, told to whom they lead, shown without their secrets.

Taking apart is urllib3's, which quotes what a person wrote as a browser does. Most URLs are quoted already,
thousands of them alike: one pattern recognises these, since for a small file that care is a good part of all
that it costs.
"""

import re
import urllib.parse
from typing import NamedTuple

from urllib3.util import parse_url

_PLAIN = re.compile(
    r"(https?)://([a-z0-9.-]+)(?::([1-9][0-9]{0,4}))?(/(?:[!$&-;=?-Z_a-z~]|%[0-9A-Fa-f]{2})*)"
)
"""Lower-case scheme and host, and a path and query of what RFC 3986 allows there; no dot segment."""
PORTS = {"http": 80, "https": 443}
"""Of the schemes that can be asked, where a URL names none."""


class Place(NamedTuple):
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

    place: Place
    target: str
    """Path and query, quoted."""


def parsed(text: str) -> Url:
    """A URL taken apart; raises ValueError for what is none of http and https."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None and "/." not in text:
        scheme, host, port, target = plain.groups()
        return Url(Place(scheme, host, int(port) if port else PORTS[scheme]), target)
    found = parse_url(text)
    if found.scheme not in PORTS or not found.host:
        raise ValueError("neither http nor https")
    place = Place(found.scheme, found.host.strip("[]").lower(), found.port or PORTS[found.scheme])
    return Url(place, found.request_uri)


def joined(base: str, location: str) -> str:
    """Where a Location leads to from a URL (RFC 3986, section 5); raises ValueError."""
    return location if _PLAIN.fullmatch(location) else urllib.parse.urljoin(base, location)


def shown(text: str) -> str:
    """A URL for messages: without query, fragment and user information."""
    parts = urllib.parse.urlsplit(text)
    host = parts.hostname or ""
    where = f"{host}:{parts.port}" if parts.port else host
    return urllib.parse.urlunsplit((parts.scheme, where, parts.path, "", ""))
