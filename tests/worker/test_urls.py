"""URLs are taken apart as urllib3 does it, also where the quick way is taken."""

import contextlib
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from modelsync.api.reasons import Reason
from modelsync.api.source import sources as api
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Request
from modelsync.worker.http import urls
from modelsync.worker.http.address_policy import Trail
from modelsync.worker.http.client import Transport, trouble
from modelsync.worker.http.connector import Network
from modelsync.worker.http.urls import Origin, Url
from modelsync.worker.sources import factory
from modelsync.worker.sources.credentials import Given
from tests import counts

HTTP, HTTPS = 80, 443
PARSED = {
    "the usual one": (
        "https://cdn.example/a/b.bin?X-Amz-Signature=0f&x=%2F",
        Url(Origin("https", "cdn.example", HTTPS), "/a/b.bin?X-Amz-Signature=0f&x=%2F"),
    ),
    "a port": ("http://127.0.0.1:8080/a", Url(Origin("http", "127.0.0.1", 8080), "/a")),
    "nothing behind the host": ("http://hub.example", Url(Origin("http", "hub.example", HTTP), "/")),
    "upper case": ("HTTPS://Hub.Example/A", Url(Origin("https", "hub.example", HTTPS), "/A")),
    "a fragment": ("https://hub.example/a#b", Url(Origin("https", "hub.example", HTTPS), "/a")),
    "a user": ("https://me:secret@hub.example/a", Url(Origin("https", "hub.example", HTTPS), "/a")),
    "IPv6": ("http://[::1]:80/a", Url(Origin("http", "::1", HTTP), "/a")),
    "a blank": ("http://hub.example/a b", Url(Origin("http", "hub.example", HTTP), "/a%20b")),
    "a lone percent sign": ("http://hub.example/50%", Url(Origin("http", "hub.example", HTTP), "/50%25")),
    "dot segments": ("http://hub.example/a/../b", Url(Origin("http", "hub.example", HTTP), "/b")),
    "letters beyond ASCII": ("http://hub.example/ä", Url(Origin("http", "hub.example", HTTP), "/%C3%A4")),
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


# The CRD's rules take these or took them once: Go's parser is content with any digits, brackets and dots.
MALFORMED = {
    "a port of six digits": "http://hub.example:999999/a",
    "a port of five digits": "http://hub.example:99999/a",
    "the first port too high": "https://hub.example:65536/a",
    "port 0": "http://hub.example:0/a",
    "a port of twenty digits": "http://hub.example:" + "9" * 20 + "/",
    "a port of other digits": "http://hub.example:6553\uff16/",
    "a port behind IPv6": "http://[::1]:999999/a",
    "brackets around a name": "http://[hub]/a",
    "a future version of IP": "http://[v1.a]/a",
    "something behind brackets": "http://[::1]x/a",
    "an open bracket": "http://[::1/a",
    "two dots": "http://hub..example/a",
    "dots alone": "http://.../a",
    "a label that is too long": "http://" + "a" * 64 + ".example/a",
    "a broken escape in the host": "http://h%zz/a",
    "letters that no name may have": "http://\uff41.example/a",
    "a signature in its query": "http://hub.example:999999/a?X-Amz-Signature=secret",
    "a password": "http://me:secret@hub.example:999999/a",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_url_of_a_spec_is_the_specs_and_names_the_field(text: str) -> None:
    file = api.HttpFile(url=text, path="a")
    fields = {
        "spec.source.http.files[1].url": api.Source(
            http=api.HttpSource(files=(api.HttpFile(url="http://hub.example/a", path="b"), file))
        ),
        "spec.source.s3.endpoint": api.Source(s3=api.S3Source(bucket="models", endpoint=text)),
        "spec.source.huggingFace.endpoint": api.Source(
            hugging_face=api.HuggingFaceSource(repository="org/model", endpoint=text)
        ),
    }
    for field, source in fields.items():
        with pytest.raises(Failure) as refused:
            factory.open_source(source, Given(where="x"), Network())
        assert refused.value.reason is Reason.INVALID_SPEC
        assert field in str(refused.value)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_nothing_else_leaves_the_transport(text: str) -> None:
    with contextlib.closing(Transport(Network())) as transport, pytest.raises(Failure) as refused:
        transport.once(Request(url=text), {}, "GET", Trail())
    assert refused.value.reason is Reason.INVALID_SPEC
    assert "secret" not in str(refused.value)
    assert "secret" not in str(trouble(OSError(), text))


HOSTS = st.text("ab.-:[]%0\uff19ä<_~", min_size=1, max_size=12) | st.text("a.", min_size=60, max_size=70)
PORTS = st.just("") | st.text("0123456789", max_size=7).map(":{}".format)
BEHIND = st.sampled_from(["", "/", "/a/../b", "?secret", "#secret", "/a?x=secret#secret", "//x", "/a:99999"])


@settings(max_examples=counts.chosen(short=200, full=1000), deadline=None)
@given(st.sampled_from(["http", "https", "HTTP"]), st.sampled_from(["", "me:secret@"]), HOSTS, PORTS, BEHIND)
@example("http", "", "h", ":999999", "/a")
def test_a_url_is_refused_or_can_be_asked_and_shown(
    scheme: str, user: str, host: str, port: str, behind: str
) -> None:
    text = f"{scheme}://{user}{host}{port}{behind}"
    assert "secret" not in urls.shown(text)
    try:
        place, target = urls.parsed(text)
    except ValueError:
        return
    assert 1 <= place.port <= 65535
    place.host.encode("idna")  # as getaddrinfo does
    assert re.fullmatch(r"[!-~]+", target), "one line of ASCII, as a request has it"


@pytest.mark.parametrize("text", ["ftp://hub.example/a", "hub.example/a", "https:///a", "http://[::1/a", ""])
def test_what_cannot_be_asked_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        urls.parsed(text)


AUTHORITIES = {
    "the scheme's port": (Origin("https", "hub.example", 443), "hub.example"),
    "another port": (Origin("http", "hub.example", 443), "hub.example:443"),
    "IPv6": (Origin("http", "::1", 8080), "[::1]:8080"),
}


@pytest.mark.parametrize(("place", "header"), AUTHORITIES.values(), ids=AUTHORITIES.keys())
def test_the_header_host_states_a_port_that_is_not_the_schemes(place: Origin, header: str) -> None:
    assert place.authority == header


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
