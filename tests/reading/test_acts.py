"""Acts are changes of the ModelSync, and are refused where they would change nothing."""

from typing import Any

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.reading import acts
from modelsync.reading.acts import Act
from tests.builders import NOW, a_sync
from tests.reading.objects import as_object, downloading, in_phase

_RETRY = {"metadata": {"annotations": {"modelsync.dev/retry-requested-at": "2026-03-14T12:00:00.000000Z"}}}
_FAILED = in_phase(Phase.FAILED, Reason.NETWORK_ERROR)
_BACKS_OFF = in_phase(Phase.QUEUED, Reason.BACKING_OFF, next_retry_time=NOW)
_COMPLETE = in_phase(Phase.COMPLETE, Reason.SYNCED)
_PAUSED = in_phase(Phase.PAUSED, Reason.PAUSED).suspended()
_CANCELLED = in_phase(Phase.CANCELLED, Reason.CANCELLED).cancelled()

_POSSIBLE: dict[str, tuple[Any, str]] = {
    "new": (as_object(a_sync()), "pause cancel priority limit"),
    "downloading": (downloading(), "pause cancel priority limit"),
    "between attempts": (as_object(_BACKS_OFF), "pause cancel retry priority limit"),
    "failed": (as_object(_FAILED), "retry"),
    "complete": (as_object(_COMPLETE), "retry"),
    "paused": (as_object(_PAUSED), "resume cancel priority limit"),
    "cancelled": (as_object(_CANCELLED), "resume retry priority limit"),
    "of an engine that keeps no limit": (as_object(a_sync(), engine="HFTransfer"), "pause cancel priority"),
    "no object": ({}, "pause cancel priority limit"),
}


@pytest.mark.parametrize("case", _POSSIBLE)
def test_what_makes_sense(case: str) -> None:
    sync, wanted = _POSSIBLE[case]
    assert " ".join(acts.possible(sync)) == wanted


_PATCHES: dict[str, tuple[Act, Any, str | None, dict[str, Any]]] = {
    "pause": (Act.PAUSE, downloading(), None, {"spec": {"suspend": True}}),
    "resume": (Act.RESUME, as_object(_PAUSED), None, {"spec": {"suspend": False, "cancel": False}}),
    "cancel": (Act.CANCEL, downloading(), None, {"spec": {"cancel": True}}),
    "retry a failed one": (Act.RETRY, as_object(_FAILED), None, _RETRY),
    "retry a cancelled one": (Act.RETRY, as_object(_CANCELLED), None, {"spec": {"cancel": False}}),
    "priority": (Act.PRIORITY, downloading(), "-7", {"spec": {"priority": -7}}),
    "limit": (Act.LIMIT, downloading(), "50M", {"spec": {"bandwidthLimit": "50M"}}),
    "no limit": (Act.LIMIT, downloading(), "none", {"spec": {"bandwidthLimit": None}}),
}


@pytest.mark.parametrize("case", _PATCHES)
def test_an_act_is_a_patch(case: str) -> None:
    act, sync, value, wanted = _PATCHES[case]
    assert acts.patch(act, sync, NOW, value) == wanted


_REFUSED: dict[str, tuple[Act, Any, str | None, str]] = {
    "pause twice": (Act.PAUSE, as_object(_PAUSED), None, "it is paused already"),
    "pause what is over": (Act.PAUSE, as_object(_FAILED), None, "it is Failed already"),
    "resume what runs": (Act.RESUME, downloading(), None, "neither paused nor cancelled"),
    "cancel twice": (Act.CANCEL, as_object(_CANCELLED), None, "it is cancelled already"),
    "retry what runs": (Act.RETRY, downloading(), None, "nothing failed"),
    "limit what is over": (Act.LIMIT, as_object(_COMPLETE), "50M", "it is Complete"),
    "priority without number": (Act.PRIORITY, downloading(), "high", "from -1000 to 1000"),
    "priority beyond": (Act.PRIORITY, downloading(), "1001", "from -1000 to 1000"),
    "priority absent": (Act.PRIORITY, downloading(), None, "from -1000 to 1000"),
    "limit without number": (Act.LIMIT, downloading(), "fast", "limit: 'fast'"),
    "limit too low": (Act.LIMIT, downloading(), "1", "limit: '1'"),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_what_makes_no_sense_is_refused_with_why(case: str) -> None:
    act, sync, value, message = _REFUSED[case]
    with pytest.raises(acts.NotPossible, match=message):
        acts.patch(act, sync, NOW, value)


def test_each_act_has_its_words_and_the_command_that_does_the_same() -> None:
    words = {each.act: each for each in acts.words()}
    assert set(words) == set(Act)
    assert words[Act.PAUSE].command == "kubectl modelsync pause NAME -n NAMESPACE"
    assert words[Act.LIMIT].command == "kubectl modelsync limit NAME VALUE -n NAMESPACE"
    assert (words[Act.RETRY].label, words[Act.RETRY].done) == ("Retry", "retried")
