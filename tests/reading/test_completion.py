"""What several ModelSyncs brought."""

from datetime import timedelta
from typing import Any

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.reading import completion, rows
from modelsync.reading.values import Row
from tests.builders import MB, NOW, a_sync, ago
from tests.reading.objects import as_object, in_phase

GB = 1000 * MB


def _complete(name: str, *, network: int, reused: int = 0, started: float, took: float) -> Row:
    sync = as_object(in_phase(Phase.COMPLETE, Reason.SYNCED, name=name))
    begin = ago(started)
    sync["status"] |= {
        "startTime": begin.isoformat(),
        "completionTime": (begin + timedelta(seconds=took)).isoformat(),
        "progress": {"bytesNetwork": network, "bytesReused": reused},
    }
    return rows.read(sync, NOW)


def _failed(name: str, message: str = "no access") -> Row:
    return rows.read(as_object(in_phase(Phase.FAILED, Reason.ACCESS_DENIED, message, name=name)), NOW)


_OTHER = rows.read(as_object(a_sync("other")), NOW)
_CASES: dict[str, tuple[list[Row], int | None, list[str]]] = {
    "nothing": (
        [],
        None,
        [
            "Complete: 0 of 0 models",
            "From the network: 0B",
            "Reused: 0B",
            "Duration: -",
            "Average speed: -",
            "Peak speed: -",
        ],
    ),
    "two, one after the other, and one that failed": (
        [
            _complete("a", network=10 * GB, started=200, took=60),
            _complete("b", network=2 * GB, reused=3 * GB, started=100, took=20),
            _failed("c"),
            _OTHER,
        ],
        250_000_000,
        [
            "Complete: 2 of 4 models",
            "From the network: 12.0GB",
            "Reused: 3.0GB",
            "Duration: 2m 0s",
            "Average speed: 100MB/s",
            "Peak speed: 250MB/s",
            "Failed: team/c: AccessDenied: no access",
        ],
    ),
    "in no time": (
        [_complete("a", network=GB, started=100, took=0)],
        None,
        [
            "Complete: 1 of 1 model",
            "From the network: 1.0GB",
            "Reused: 0B",
            "Duration: 0s",
            "Average speed: -",
            "Peak speed: -",
        ],
    ),
}


@pytest.mark.parametrize("case", _CASES)
def test_the_summary_of_several(case: str) -> None:
    found_rows, peak, wanted = _CASES[case]
    assert completion.of(found_rows, peak).text.splitlines() == wanted


def test_many_failures_are_counted_and_not_all_listed() -> None:
    found = completion.of([_failed(f"sync-{number}") for number in range(60)])
    assert (found.failed, len(found.failures)) == (60, completion.MOST_FAILURES)
    assert found.text.splitlines()[-1] == "Failed: 10 more"


def test_a_sum_is_that_of_its_parts_whatever_is_missing() -> None:
    parts: list[Any] = [
        _complete(str(each), network=each, reused=2 * each, started=9, took=3) for each in range(9)
    ]
    found = completion.of([*parts, _OTHER])
    assert (found.network.done, found.reused.done) == (36, 72)
