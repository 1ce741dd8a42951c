"""How numbers are written for people: one contract, byte for byte."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api.common import display

MB, GB = 10**6, 10**9
SIZE = re.compile(r"(\d+|\d\d?\.\d{1,2})(B|KB|MB|GB|TB)")
FACTORS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@pytest.mark.parametrize(
    ("done", "total", "want"),
    [
        (975_000_000, 1_200_000_000, "975MB/1.2GB ~ 81.3%"),
        (150_000_000, 500_000_000, "150MB/500MB ~ 30.0%"),
        (5_500_000_000, 8_000_000_000, "5.5GB/8.0GB ~ 68.8%"),
        (99_500_000, 200_000_000, "99.5MB/200MB ~ 49.8%"),
        (350_000_000, None, "Downloaded 350MB..."),
        (150_000_000, None, "Downloaded 150MB..."),
        (550_000_000, None, "Downloaded 550MB..."),
        (750_000_000, None, "Downloaded 750MB..."),
        (1_000_000_000, None, "Downloaded 1.0GB..."),
        (150_000_000, 1_200_000_000, "150MB/1.2GB ~ 12.5%"),
        (350_000_000, 1_200_000_000, "350MB/1.2GB ~ 29.2%"),
        (550_000_000, 1_200_000_000, "550MB/1.2GB ~ 45.8%"),
        (750_000_000, 1_200_000_000, "750MB/1.2GB ~ 62.5%"),
        (1_100_000_000, 1_200_000_000, "1.1GB/1.2GB ~ 91.7%"),
    ],
    ids=lambda value: str(value),
)
def test_amounts_are_written_as_promised(done: int, total: int | None, want: str) -> None:
    assert display.amount(done, total) == want
    line = display.log_line(done, total)
    assert line == (want if total is None else f"Download progress: {want}")


@pytest.mark.parametrize(
    ("count", "want"),
    [
        (0, "0B"),
        (1, "1B"),
        (999, "999B"),
        (1000, "1.0KB"),
        (1500, "1.5KB"),
        (950_000, "950KB"),
        (999_499, "999KB"),
        (999_500, "1.0MB"),
        (1_000_000, "1.0MB"),
        (9_994_999, "9.99MB"),
        (9_995_000, "10.0MB"),
        (1_250_000, "1.25MB"),
        (1_255_000, "1.26MB"),
        (99_500_000, "99.5MB"),
        (99_949_999, "99.9MB"),
        (99_950_000, "100MB"),
        (100_500_000, "101MB"),
        (5_500_000_000, "5.5GB"),
        (8_000_000_000, "8.0GB"),
        (3 * 10**12, "3.0TB"),
        (123_456 * 10**12, "123456TB"),
    ],
    ids=lambda value: str(value),
)
def test_sizes_follow_the_precision_rules(count: int, want: str) -> None:
    assert display.size(count) == want


@given(st.integers(0, 10**15 - 10**12))
def test_a_size_is_short_and_as_near_as_its_digits_allow(count: int) -> None:
    text = display.size(count)
    match = SIZE.fullmatch(text)
    assert match is not None
    number, unit = match.groups()
    assert float(number) < 1000
    assert len(text) <= 6
    assert abs(float(number) * FACTORS[unit] - count) <= max(count * 0.0051, 0.5)
    if "." in number:
        assert not number.endswith("0") or number[-2] == ".", "one zero is kept, a second is cut"


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_bigger_size_never_reads_smaller(one: int, other: int) -> None:
    def value(count: int) -> float:
        match = SIZE.fullmatch(display.size(count))
        assert match is not None
        return float(match[1]) * FACTORS[match[2]]

    small, big = sorted((one, other))
    assert value(small) <= value(big) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("done", "total", "want"),
    [
        (8125, 10000, "81.3%"),
        (8115, 10000, "81.2%"),
        (0, 100, "0.0%"),
        (100, 100, "100.0%"),
        (1, 3, "33.3%"),
        (2, 3, "66.7%"),
        (0, 0, "100.0%"),
    ],
    ids=lambda value: str(value),
)
def test_per_cent_has_one_decimal_and_halves_go_up(done: int, total: int, want: str) -> None:
    assert display.percent(done, total) == want


@pytest.mark.parametrize(
    ("rate", "want"),
    [(182_000_000, "182MB/s"), (0, "0B/s"), (0.5, "1B/s"), (1_500_000.0, "1.5MB/s")],
    ids=lambda value: str(value),
)
def test_speeds_are_sizes_a_second(rate: float, want: str) -> None:
    assert display.speed(rate) == want


@pytest.mark.parametrize(
    ("seconds", "want"),
    [
        (0, "0s"),
        (0.1, "1s"),
        (45, "45s"),
        (59.2, "1m 0s"),
        (60, "1m 0s"),
        (200, "3m 20s"),
        (3599.5, "1h 0m"),
        (3900, "1h 5m"),
        (3901, "1h 6m"),
        (86_400, "1d 0h"),
        (86_401, "1d 1h"),
        (2 * 86_400 + 3 * 3600, "2d 3h"),
    ],
    ids=lambda value: str(value),
)
def test_times_are_rounded_up(seconds: float, want: str) -> None:
    assert display.duration(seconds) == want


PARTS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@given(st.floats(0, 10**8))
def test_a_time_is_never_shown_shorter_than_it_is(seconds: float) -> None:
    parts = [(int(word[:-1]), word[-1]) for word in display.duration(seconds).split()]
    shown = sum(count * PARTS[unit] for count, unit in parts)
    assert seconds <= shown <= seconds + PARTS[parts[-1][1]] + 60
