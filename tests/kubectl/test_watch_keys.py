"""What keys do to the screen of `watch`, as tables: from bytes to keys, and from keys to orders."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from modelsync.api.reasons import Phase, Reason
from modelsync.kubectl.watch import state
from modelsync.kubectl.watch.keys import Decoder
from modelsync.kubectl.watch.state import Contact, Mode, Order, State
from modelsync.reading import picture
from modelsync.reading.acts import Act
from modelsync.reading.values import Picture
from tests.builders import NOW
from tests.reading.objects import as_object, downloading, in_phase

_BYTES: dict[str, tuple[Sequence[bytes], list[str]]] = {
    "letters": ([b"pq"], ["p", "q"]),
    "a letter in two parts": ([b"\xc3", b"\xa4"], ["ä"]),
    "arrows of both kinds": ([b"\x1b[A\x1bOB"], ["up", "down"]),
    "an arrow in three parts": ([b"\x1b", b"[", b"A"], ["up"]),
    "pages and ends": ([b"\x1b[5~\x1b[6~\x1b[H\x1b[4~"], ["pageup", "pagedown", "home", "end"]),
    "a key that is not known": ([b"\x1b[15~x"], ["x"]),
    "enter, backspace, Ctrl-U": ([b"\r\x7f\x15"], ["enter", "backspace", "ctrl-u"]),
    "Escape before a letter": ([b"\x1bx"], ["escape", "x"]),
    "other controls": ([b"\x00\x01\t"], []),
    "bytes that are no text": ([b"\xff"], ["\N{REPLACEMENT CHARACTER}"]),
}


@pytest.mark.parametrize("case", _BYTES)
def test_bytes_become_keys(case: str) -> None:
    parts, keys = _BYTES[case]
    decoder = Decoder()
    assert [key for part in parts for key in decoder.feed(part)] == keys
    assert not decoder.is_in_key


def test_an_escape_is_one_when_nothing_follows() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == [] and decoder.is_in_key
    assert decoder.flush() == ["escape"] and not decoder.is_in_key


def _failed(name: str) -> dict[str, Any]:
    return as_object(in_phase(Phase.FAILED, Reason.NOT_FOUND, "no such file", name=name, attempts=1))


def _picture(*syncs: dict[str, Any]) -> Picture:
    return picture.read(syncs or (downloading("alpha"), _failed("beta"), downloading("gamma")), [], NOW)


def _begun() -> State:
    """beta (Failed, so it stands first and is chosen), alpha, gamma."""
    return state.begun(_picture(), "namespace team", everywhere=False)


def _after(keys: Sequence[str], begun: State | None = None) -> tuple[State, list[Order]]:
    now, orders = begun or _begun(), list[Order]()
    for key in keys:
        now, order = state.pressed(now, key)
        orders += [order] if order is not None else []
    return now, orders


def _order(act: Act, name: str, value: str | None = None) -> Order:
    uid = next(row.uid for row in _picture().rows if row.name == name)
    return Order(act=act, namespace="team", name=name, uid=uid, value=value)


_DOWN = ["down"]
_ORDERS: dict[str, tuple[Sequence[str], list[Order]]] = {
    "pause": ([*_DOWN, "p"], [_order(Act.PAUSE, "alpha")]),
    "retry": (["r"], [_order(Act.RETRY, "beta")]),
    "resume of one that runs": ([*_DOWN, "u"], []),
    "cancel and yes": ([*_DOWN, "c", "y"], [_order(Act.CANCEL, "alpha")]),
    "cancel and no": ([*_DOWN, "c", "n"], []),
    "cancel and another key": ([*_DOWN, "c", "c"], []),
    "cancel and Escape": ([*_DOWN, "c", "escape", "y"], []),
    "cancel of what is over": (["c", "y"], []),
    "a limit": ([*_DOWN, "l", *"50M", "enter"], [_order(Act.LIMIT, "alpha", "50M")]),
    "no limit any more": ([*_DOWN, "l", *"none", "enter"], [_order(Act.LIMIT, "alpha", "none")]),
    "a limit that is none": ([*_DOWN, "l", *"fast", "enter"], []),
    "a limit that is corrected": (
        [*_DOWN, "l", *"5x", "enter", "backspace", "M", "enter"],
        [_order(Act.LIMIT, "alpha", "5M")],
    ),
    "a limit that is left": ([*_DOWN, "l", *"5M", "escape", "enter"], []),
    "a priority": ([*_DOWN, "y", *"-7", "enter"], [_order(Act.PRIORITY, "alpha", "-7")]),
    "a priority beyond its bounds": ([*_DOWN, "y", *"1001", "enter"], []),
    "letters of a filter are no acts": (["/", "c", "y", "p", "enter"], []),
    "any key of the help": (["?", "p"], []),
    "nothing matches": (["/", *"zzz", "enter", "p"], []),
}


@pytest.mark.parametrize("case", _ORDERS)
def test_keys_become_orders(case: str) -> None:
    keys, orders = _ORDERS[case]
    assert _after(keys)[1] == orders


_CHOSEN: dict[str, tuple[Sequence[str], str | None]] = {
    "nothing pressed": ([], "beta"),
    "down": (["down"], "alpha"),
    "down beyond the end": (["j", "j", "j", "j"], "gamma"),
    "up beyond the beginning": (["k"], "beta"),
    "the end": (["G"], "gamma"),
    "the beginning": (["end", "home"], "beta"),
    "a page": (["pagedown"], "gamma"),
    "a filter chooses what it shows": (["/", *"gam", "enter"], "gamma"),
    "a filter of a status": (["/", *"DOWNL", "enter"], "alpha"),
    "a filter that is cleared keeps the choice": (["/", *"gam", "enter", "escape"], "gamma"),
    "a filter of nothing": (["/", *"zzz"], None),
}


@pytest.mark.parametrize("case", _CHOSEN)
def test_keys_choose(case: str) -> None:
    keys, name = _CHOSEN[case]
    row = _after(keys)[0].row
    assert (row.name if row is not None else None) == name


@pytest.mark.parametrize(("keys", "left"), [(["q"], True), (["/", "q"], False), (["?", "q"], False)])
def test_only_a_q_that_is_meant_leaves(keys: list[str], left: bool) -> None:
    assert _after(keys)[0].left is left
    assert _after([*keys, "ctrl-c"])[0].left


def test_the_choice_follows_its_object_when_rows_move() -> None:
    now, _ = _after(_DOWN)
    moved = state.updated(now, _picture(downloading("alpha"), _failed("aaa"), _failed("beta")), Contact())
    assert moved.row is not None and (moved.row.name, moved.place) == ("alpha", 2)


@pytest.mark.parametrize("keys", [[], ["c"], ["l", "5"], ["y", "5"]])
def test_what_is_gone_takes_the_choice_and_the_question_with_it(keys: list[str]) -> None:
    now, _ = _after([*_DOWN, *keys])
    gone = state.updated(now, _picture(_failed("beta"), downloading("gamma")), Contact())
    assert gone.row is None and gone.mode is Mode.TABLE and gone.note == "team/alpha is gone."
    for key in ("p", "y", "enter", "c"):
        assert state.pressed(gone, key)[1] is None
    assert state.updated(gone, _picture(), Contact()).row is None, "one of its name is another one"
    again, _ = state.pressed(gone, "down")
    assert again.row is not None and again.row.name == "gamma"


def test_what_no_longer_matches_the_filter_is_not_chosen_any_more() -> None:
    now, _ = _after(["/", *"failed", "enter"])
    fine = state.updated(now, _picture(downloading("beta"), _failed("alpha")), Contact())
    assert fine.row is None and fine.note == "team/beta no longer matches the filter."


def test_an_empty_list_takes_every_key() -> None:
    empty = replace(_begun(), picture=picture.read([], [], NOW), chosen=None)
    for key in ("down", "end", "p", "c", "l", "/", "x", "escape", "?", "?"):
        empty, order = state.pressed(empty, key)
        assert order is None
