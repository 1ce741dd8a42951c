"""Every way in which origins say "later", and what is no such word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.worker.common import retry_after
from modelsync.worker.engines.library import child_main
from modelsync.worker.sources import library_http

NOW = 1_800_000_000.0
HUB = {"RateLimit": '"resolvers";r=0;t=55', "RateLimit-Policy": '"fixed window";"resolvers";q=5000;w=300'}

SAID: dict[str, tuple[int, dict[str, str], float | None]] = {
    # RFC 9110
    "Retry-After in seconds": (429, {"Retry-After": "7"}, 7),
    "Retry-After of a busy server": (503, {"Retry-After": "7"}, 7),
    "Retry-After of one that denies": (403, {"Retry-After": "7"}, 7),
    "Retry-After as a date": (429, {"Retry-After": "Fri, 15 Jan 2027 08:01:00 GMT"}, 60),
    "a date by the origin's own clock, which is an hour ahead": (
        503,
        {"Retry-After": "Fri, 15 Jan 2027 09:01:00 GMT", "Date": "Fri, 15 Jan 2027 09:00:00 GMT"},
        60,
    ),
    "Retry-After in the past": (503, {"Retry-After": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0),
    "Retry-After for years": (429, {"Retry-After": "99999999999"}, 300),
    "Retry-After that is no time": (429, {"Retry-After": "soon"}, None),
    "nothing": (429, {}, None),
    # the Hub, and the draft's newest form
    "the Hub": (429, HUB, 55),
    "the Hub, with a token that goes beyond": (429, {**HUB, "Retry-After": "0"}, 55),
    "Retry-After stands before a quota": (429, {**HUB, "Retry-After": "3"}, 3),
    "a quota for longer than the window": (429, {"RateLimit": '"day";r=0;t=80000'}, 300),
    "two quotas, one of which is spent": (429, {"RateLimit": '"burst";r=0;t=5, "day";r=90;t=3000'}, 5),
    "two quotas, both spent": (429, {"RateLimit": '"burst";r=0;t=5,"hour";r=0;t=50'}, 50),
    "other parameters, and spaces": (429, {"RateLimit": '"api" ; pk=:Yg==: ; r=0 ; t=9'}, 9),
    "a spent quota without its time, whose policy states the window": (
        429,
        {"RateLimit": '"api";r=0', "RateLimit-Policy": '"burst";q=9;w=4, "api";q=100;w=60'},
        60,
    ),
    "a policy alone": (429, {"RateLimit-Policy": '"burst";q=100;w=60,"day";q=1000;w=86400'}, 60),
    "a quota that is not spent": (429, {"RateLimit": '"api";r=8;t=9'}, None),
    # the draft's older forms
    "a dictionary": (429, {"RateLimit": "limit=100, remaining=0, reset=50"}, 50),
    "a dictionary of what is left": (429, {"RateLimit": "limit=100, remaining=3, reset=50"}, None),
    "a policy of the same age": (
        429,
        {"RateLimit-Policy": '100;w=60;burst=1000;policy="sliding window"'},
        60,
    ),
    "three headers": (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "50"}, 50),
    "with a window, as registries send": (
        429,
        {"RateLimit-Remaining": "0;w=21600", "RateLimit-Reset": "9"},
        9,
    ),
    # what is in use without any draft
    "a reset from now on": (429, {"X-RateLimit-Reset": "30"}, 30),
    "a reset by the clock": (429, {"X-RateLimit-Reset": f"{NOW + 30:.0f}"}, 30),
    "a reset in milliseconds": (429, {"X-RateLimit-Reset": f"{(NOW + 30) * 1000:.0f}"}, 30),
    "a reset as a date": (429, {"X-RateLimit-Reset": "2027-01-15T08:00:30Z"}, 30),
    "a reset that has passed": (429, {"X-RateLimit-Reset": f"{NOW - 30:.0f}"}, 0),
    "a reset with a fraction": (429, {"X-RateLimit-Reset-After": "1.5"}, 1.5),
    "another spelling": (429, {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "30"}, 30),
    "a 403 of one whose quota is spent": (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}, 30),
    # what is no word of it
    "a 403 with the quota of every answer": (
        403,
        {"X-RateLimit-Remaining": "41", "X-RateLimit-Reset": "30"},
        None,
    ),
    "a 403 with a reset alone": (403, {"X-RateLimit-Reset": "30"}, None),
    "a 500 with the quota of every answer": (500, {"RateLimit": '"api";r=90;t=200'}, None),
    "a 503 whose quota is spent": (503, HUB, 55),
    "a file": (200, {**HUB, "Retry-After": "7"}, None),
    "no such file": (404, {**HUB, "Retry-After": "7"}, None),
}


@pytest.mark.parametrize(("status", "headers", "seconds"), SAID.values(), ids=SAID.keys())
def test_what_an_answer_asks_to_wait(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after.seconds(status, headers, now=NOW, longest=300) == seconds


_TEXT = st.text(st.sampled_from('"abrtw=;, .0159-:<>é'), max_size=60) | st.text(max_size=30)


@given(
    status=st.sampled_from([403, 429, 500, 503]),
    headers=st.dictionaries(st.sampled_from(retry_after.HEADERS), _TEXT, max_size=5),
)
def test_whatever_an_origin_says_is_none_or_within_the_bound(status: int, headers: dict[str, str]) -> None:
    found = retry_after.seconds(status, headers, now=NOW, longest=300)
    assert found is None or 0 <= found <= 300


SLOW = {
    "S3": (b"<?xml?><Error><Code>SlowDown</Code><Message>Please</Message></Error>", True),
    "MinIO": (b"<Error>\n <Code>SlowDownRead</Code></Error>", True),
    "another error": (b"<Error><Code>InternalError</Code><Message>SlowDown</Message></Error>", False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("body", "slow"), SLOW.values(), ids=SLOW.keys())
def test_s3_says_it_by_a_code(body: bytes, slow: bool) -> None:
    assert library_http.slows_down(body) is slow


def test_a_librarys_process_hands_on_every_header_that_is_read() -> None:
    assert set(retry_after.HEADERS) <= set(child_main.HEADERS)
