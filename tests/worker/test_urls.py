"""URLs are taken apart as urllib3 does it, also where the quick way is taken."""

import pytest
from urllib3.util import parse_url

from modelsync.worker import urls
from modelsync.worker.urls import Place, Url

HTTP, HTTPS = 80, 443
PARSED = {
    "the usual one": (
        "https://cdn.example/a/b.bin?X-Amz-Signature=0f&x=%2F",
        Url(Place("https", "cdn.example", HTTPS), "/a/b.bin?X-Amz-Signature=0f&x=%2F"),
    ),
    "a port": ("http://127.0.0.1:8080/a", Url(Place("http", "127.0.0.1", 8080), "/a")),
    "nothing behind the host": ("http://hub.example", Url(Place("http", "hub.example", HTTP), "/")),
    "upper case": ("HTTPS://Hub.Example/A", Url(Place("https", "hub.example", HTTPS), "/A")),
    "a fragment": ("https://hub.example/a#b", Url(Place("https", "hub.example", HTTPS), "/a")),
    "a user": ("https://me:secret@hub.example/a", Url(Place("https", "hub.example", HTTPS), "/a")),
    "IPv6": ("http://[::1]:80/a", Url(Place("http", "::1", HTTP), "/a")),
    "a blank": ("http://hub.example/a b", Url(Place("http", "hub.example", HTTP), "/a%20b")),
    "a lone percent sign": ("http://hub.example/50%", Url(Place("http", "hub.example", HTTP), "/50%25")),
    "dot segments": ("http://hub.example/a/../b", Url(Place("http", "hub.example", HTTP), "/b")),
    "letters beyond ASCII": ("http://hub.example/ä", Url(Place("http", "hub.example", HTTP), "/%C3%A4")),
}


@pytest.mark.parametrize(("text", "expected"), PARSED.values(), ids=PARSED.keys())
def test_a_url_is_taken_apart(text: str, expected: Url) -> None:
    assert urls.parsed(text) == expected


QUICK = [
    "https://hub.example/a/b/c.bin",
    "http://a.b-c.example:8443/x?y=z&w=%20~_-.!$'()*+,;:@/?",
    "https://cdn.example/x%2Fy%C3%A4?sig=a+b",
    "http://10.0.0.1/",
    "http://hub.example/a%2fb",
]


@pytest.mark.parametrize("text", QUICK)
def test_the_quick_way_gives_what_the_library_gives(text: str) -> None:
    found = parse_url(text)
    target = urls.parsed(text).target
    assert target.lower() == found.request_uri.lower()


@pytest.mark.parametrize("text", ["ftp://hub.example/a", "hub.example/a", "https:///a", "http://[::1/a", ""])
def test_what_cannot_be_asked_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        urls.parsed(text)


AUTHORITIES = {
    "the scheme's port": (Place("https", "hub.example", 443), "hub.example"),
    "another port": (Place("http", "hub.example", 443), "hub.example:443"),
    "IPv6": (Place("http", "::1", 8080), "[::1]:8080"),
}


@pytest.mark.parametrize(("place", "told"), AUTHORITIES.values(), ids=AUTHORITIES.keys())
def test_the_header_host_tells_a_port_that_is_not_the_schemes(place: Place, told: str) -> None:
    assert place.authority == told


JOINED = {
    "absolute": ("https://cdn.example/b", "https://cdn.example/b"),
    "a path": ("/b", "https://hub.example/b"),
    "relative": ("b", "https://hub.example/a/b"),
    "no scheme": ("//cdn.example/b", "https://cdn.example/b"),
    "a query": ("?b", "https://hub.example/a/x?b"),
}


@pytest.mark.parametrize(("location", "expected"), JOINED.values(), ids=JOINED.keys())
def test_a_location_leads_on(location: str, expected: str) -> None:
    assert urls.joined("https://hub.example/a/x", location) == expected
