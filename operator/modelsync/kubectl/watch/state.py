"""What `watch` shows and what a key does to it: state and key in, state and at most one order out.

No terminal, no clock and no cluster here, so that every key is a row of a table in a test. An order is bound
to the ModelSync that was chosen when its key was pressed: rows move while they are read, and a row that is
gone leaves nothing chosen, so that no key ever hits the neighbour that moved into its place.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from modelsync.reading import acts
from modelsync.reading.acts import Act
from modelsync.reading.values import Picture, Row

_MOST_TYPED = 60


class Mode(StrEnum):
    """What the next key means."""

    TABLE = "table"
    HELP = "help"
    FILTER = "filter"
    """Letters go into the filter."""
    CONFIRM = "confirm"
    """`y` carries out the order."""
    VALUE = "value"
    """Letters go into the value of the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An act on one ModelSync."""

    act: Act
    namespace: str
    name: str
    uid: str | None
    """Of the ModelSync that was chosen; one of the same name that came later is another one."""
    value: str | None = None

    @property
    def about(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whether the picture is the present one."""

    problem: str | None = None
    """Why the API server was not reached at the last try; None while it answers."""
    age_seconds: int = 0
    """Since its last answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that is on the screen."""

    picture: Picture
    where: str
    """The namespace, or that it is all of them."""
    everywhere: bool = False
    contact: Contact = Contact()
    mode: Mode = Mode.TABLE
    chosen: tuple[str, str] | None = None
    """Namespace and name."""
    place: int = 0
    """Of the chosen row, or of the one that was chosen last."""
    filter: str = ""
    typed: str = ""
    order: Order | None = None
    """What is asked for a value or a confirmation."""
    note: str = ""
    """What happened last."""
    bad: bool = False
    """Whether that is a failure."""
    left: bool = False

    @property
    def rows(self) -> tuple[Row, ...]:
        """Those that the filter lets through."""
        wanted = self.filter.lower()
        return tuple(row for row in self.picture.rows if not wanted or wanted in _searched(row))

    @property
    def row(self) -> Row | None:
        """The chosen one."""
        return next((row for row in self.rows if _key(row) == self.chosen), None)


Pressed = tuple[State, Order | None]


def begun(picture: Picture, where: str, *, everywhere: bool) -> State:
    """The first screen: the first row is chosen."""
    first = _key(picture.rows[0]) if picture.rows else None
    return State(picture=picture, where=where, everywhere=everywhere, chosen=first)


def updated(state: State, picture: Picture, contact: Contact) -> State:
    """The next picture; the chosen row stays chosen wherever it moved."""
    return _settled(replace(state, picture=picture, contact=contact))


def noted(state: State, text: str, *, bad: bool = False) -> State:
    """The result of an order."""
    return replace(state, note=text, bad=bad)


def pressed(state: State, key: str, page: int = 10) -> Pressed:
    """A key: a letter, or a name of `keys`; `page` is how many rows fit on the screen."""
    if key == "ctrl-c":
        return replace(state, left=True), None
    match state.mode:
        case Mode.TABLE:
            return _in_table(state, key, page)
        case Mode.HELP:
            return replace(state, mode=Mode.TABLE), None
        case Mode.FILTER:
            return _in_filter(state, key), None
        case Mode.CONFIRM:
            return _in_confirmation(state, key)
        case Mode.VALUE:
            return _in_value(state, key)


ACTS: dict[str, Act] = {
    "p": Act.PAUSE,
    "u": Act.RESUME,
    "c": Act.CANCEL,
    "r": Act.RETRY,
    "l": Act.LIMIT,
    "y": Act.PRIORITY,
}
"""The keys of the acts."""
_STEPS: dict[str, Callable[[int], int]] = {
    "up": lambda page: -1,
    "k": lambda page: -1,
    "down": lambda page: 1,
    "j": lambda page: 1,
    "pageup": lambda page: -page,
    "pagedown": lambda page: page,
    "home": lambda page: -(10**6),
    "g": lambda page: -(10**6),
    "end": lambda page: 10**6,
    "G": lambda page: 10**6,
}


def _in_table(state: State, key: str, page: int) -> Pressed:
    if key in ACTS:
        return _begun_act(state, ACTS[key])
    if key in _STEPS:
        return _moved(state, _STEPS[key](max(1, page))), None
    match key:
        case "q":
            return replace(state, left=True), None
        case "?" | "h":
            return replace(state, mode=Mode.HELP), None
        case "/":
            return replace(state, mode=Mode.FILTER, typed=state.filter, note=""), None
        case "escape":
            return _refiltered(replace(state, filter="", note="")), None
    return state, None


def _begun_act(state: State, act: Act) -> Pressed:
    """Carry out, or ask first: for a value, or whether it is meant."""
    row = state.row
    if row is None:
        return noted(state, "Choose a ModelSync first, with the arrow keys."), None
    order = Order(act=act, namespace=row.namespace, name=row.name, uid=row.uid)
    if act not in row.acts:
        return noted(state, f"{order.about} is {row.badge.word}: {act} has no effect now.", bad=True), None
    if act is Act.CANCEL:
        return replace(state, mode=Mode.CONFIRM, order=order, note=""), None
    if act in (Act.LIMIT, Act.PRIORITY):
        return replace(state, mode=Mode.VALUE, order=order, typed="", note=""), None
    return noted(state, f"{act} {order.about} …"), order


def _moved(state: State, step: int) -> State:
    rows = state.rows
    if not rows:
        return replace(state, chosen=None)
    if state.row is None:  # the first key only chooses what stands there
        step = 0 if abs(step) == 1 else step
    place = min(max(state.place + step, 0), len(rows) - 1)
    return replace(state, place=place, chosen=_key(rows[place]), note="")


def _in_filter(state: State, key: str) -> State:
    if key == "enter":
        return replace(state, mode=Mode.TABLE, typed="")
    if key == "escape":
        return _refiltered(replace(state, mode=Mode.TABLE, typed="", filter=""))
    typed = _edited(state.typed, key)
    return _refiltered(replace(state, typed=typed, filter=typed))


def _in_confirmation(state: State, key: str) -> Pressed:
    order, back = state.order, replace(state, mode=Mode.TABLE, order=None)
    if key not in ("y", "Y") or order is None:
        return noted(back, "Nothing was changed."), None
    return noted(back, f"{order.act} {order.about} …"), order


def _in_value(state: State, key: str) -> Pressed:
    back = replace(state, mode=Mode.TABLE, order=None, typed="")
    if key == "escape" or state.order is None:
        return noted(back, "Nothing was changed."), None
    if key != "enter":
        return replace(state, typed=_edited(state.typed, key), note=""), None
    try:
        acts.change(state.order.act, False, state.picture.time, state.typed)
    except acts.NotPossible as error:
        return noted(state, str(error), bad=True), None
    return noted(back, f"{state.order.act} {state.order.about} …"), replace(state.order, value=state.typed)


def _edited(typed: str, key: str) -> str:
    if key == "backspace":
        return typed[:-1]
    if key == "ctrl-u":
        return ""
    return typed + key if len(key) == 1 and len(typed) < _MOST_TYPED else typed


def _refiltered(state: State) -> State:
    """After a change of the filter: the chosen row, or the first where the filter hides it."""
    if state.row is None:
        first = state.rows[0] if state.rows else None
        state = replace(state, chosen=None if first is None else _key(first))
    return _settled(state)


def _settled(state: State) -> State:
    """The place of the chosen row; where it is gone, nothing is chosen and no question about it is open."""
    places = [number for number, row in enumerate(state.rows) if _key(row) == state.chosen]
    if places:
        return replace(state, place=places[0])
    if state.chosen is None:
        return state
    hidden = any(_key(row) == state.chosen for row in state.picture.rows)
    why = "no longer matches the filter" if hidden else "is gone"
    note = f"{'/'.join(state.chosen)} {why}."
    if state.order is not None:
        state = replace(state, mode=Mode.TABLE, order=None, typed="")
    return noted(replace(state, chosen=None), note)


def _key(row: Row) -> tuple[str, str]:
    return row.namespace, row.name


def _searched(row: Row) -> str:
    parts = (f"{row.namespace}/{row.name}", row.badge.word, row.queue, row.group or "", row.source)
    return " ".join(parts).lower()
