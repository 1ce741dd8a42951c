"""How long to wait: the bounds of every backoff, and what of a Retry-After header is believed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api.common.backoff import Backoff, retry_after

NOW = 1_445_412_480.0
"""Wed, 21 Oct 2015 07:28:00 GMT."""
backoffs = st.builds(
    Backoff,
    first=st.floats(0, 600),
    factor=st.floats(1, 10),
    cap=st.floats(0, 86_400),
    jitter=st.floats(0, 1),
)
failures = st.integers(-3, 10**9)
chances = st.floats(0, 1)


@settings(deadline=None)
@given(backoffs, failures, chances)
def test_a_wait_stays_within_its_jitter_and_its_cap(backoff: Backoff, count: int, chance: float) -> None:
    middle = backoff.wait(count, random=0.5)
    assert 0 <= middle <= backoff.cap
    assert middle == min(backoff.cap, backoff.first) or count > 1
    wait = backoff.wait(count, random=chance)
    assert (1 - backoff.jitter) * middle - 1e-6 <= wait <= (1 + backoff.jitter) * middle + 1e-6


@settings(deadline=None)
@given(backoffs, failures, chances)
def test_a_wait_never_shrinks_with_another_failure(backoff: Backoff, count: int, chance: float) -> None:
    assert backoff.wait(count, random=chance) <= backoff.wait(count + 1, random=chance)


@settings(deadline=None)
@given(backoffs, failures, chances, st.floats(0, 3600))
def test_a_figure_of_the_other_side_is_never_undercut_and_nor_is_our_own(
    backoff: Backoff, count: int, chance: float, asked: float
) -> None:
    wait = backoff.wait(count, random=chance, asked=asked)
    own = backoff.wait(count, random=chance)
    assert max(asked, own) <= wait <= max(own, asked + backoff.jitter * max(backoff.cap, asked / 10))


def test_all_who_are_asked_for_the_same_time_do_not_come_back_together() -> None:
    backoff = Backoff(first=0.5, cap=15, jitter=1)
    waits = [backoff.wait(1, random=chance / 100, asked=60) for chance in range(101)]
    assert waits[0] == 60 and waits[-1] == 66 and waits == sorted(set(waits))


RETRY_AFTER = {
    "seconds": ("7", 7),
    "spaces around": (" 7 ", 7),
    "leading zeros": ("007", 7),
    "0": ("0", 0),
    "a fraction": ("1.5", 1.5),
    "a very small fraction": ("0.001", 0.001),
    "more than the longest": ("61", 60),
    "absurd": ("99999999999999", 60),
    "more digits than a number has": ("9" * 5000, None),
    "none": (None, None),
    "empty": ("", None),
    "negative": ("-3", None),
    "a sign": ("+3", None),
    "an exponent": ("1e3", None),
    "infinite": ("inf", None),
    "no number": ("nan", None),
    "digits of another script": ("٣", None),
    "a raised digit, which isdigit() takes for one": ("²", None),
    "two values": ("5, 7", None),
    "with a unit": ("5s", None),
    "nonsense": ("soon", None),
    "a date long ago": ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    "a second ago": ("Wed, 21 Oct 2015 07:27:59 GMT", 0),
    "now": ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    "in a moment": ("Wed, 21 Oct 2015 07:28:07 GMT", 7),
    "another zone": ("Wed, 21 Oct 2015 09:28:07 +0200", 7),
    "no zone": ("Wed, 21 Oct 2015 07:28:07", 7),
    "a date of RFC 850": ("Wednesday, 21-Oct-15 07:28:07 GMT", 7),
    "a date far away": ("Wed, 21 Oct 2099 07:28:00 GMT", 60),
    "a year that is none": ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    "an hour that is none": ("Wed, 21 Oct 2015 47:28:00 GMT", None),
}


@pytest.mark.parametrize(("text", "expected"), RETRY_AFTER.values(), ids=RETRY_AFTER.keys())
def test_what_of_a_header_is_believed(text: str | None, expected: float | None) -> None:
    assert retry_after(text, now=NOW, longest=60) == expected


@settings(deadline=None)
@given(st.text() | st.text(alphabet="0123456789.,:-+ eWedOctGMT", max_size=40))
def test_no_header_fails_or_asks_for_more_than_the_longest_wait(text: str) -> None:
    found = retry_after(text, now=NOW, longest=60)
    assert found is None or 0 <= found <= 60
