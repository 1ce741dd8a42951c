"""The screen of `watch` as lines of styled pieces, for any size of a terminal.

What does not fit is left out in the order of its use: the table and the last message stay longest. Nothing
here knows a terminal, so a test reads the lines as text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelsync.api.common import display
from modelsync.kubectl import tables
from modelsync.kubectl.watch.state import Mode, State
from modelsync.reading.fields import seconds_since
from modelsync.reading.values import Colour, Queue, Row

DIM, BOLD, CHOSEN, BAD = "dim", "bold", "chosen", "bad"
Piece = tuple[str, str]
"""A text and its style: a colour, or one of the above; empty for none."""
Line = tuple[Piece, ...]
_GAP = "  "
_LEAST_BAR, _MOST_BAR = 4, 40
_ROOMY = 20
"""Lines of a terminal that has room for the bars of files."""
_MOST_FILES = 3
HINTS = "p pause  u resume  c cancel  r retry  l limit  y prio  / filter  ? help  q quit"
_SHORT_HINTS = "? help  q quit"


def screen(state: State, width: int, height: int) -> list[Line]:
    """At most `height` lines of at most `width` characters, the last of which are at the bottom."""
    if state.mode is Mode.HELP:
        return [_cut(line, width) for line in _HELP[:height]]
    head, foot, body = _parts(state, width, height)
    rows = table(state, width, body)
    empty = body - len(rows)
    blank: Line = ()
    lines = [*head, *rows, *[blank] * empty, *foot]
    return [_cut(line, width) for line in lines[:height]]


def page(state: State, width: int, height: int) -> int:
    """How many rows fit."""
    return max(1, _parts(state, width, height)[2] - 1)


def _parts(state: State, width: int, height: int) -> tuple[list[Line], list[Line], int]:
    """Lines above and below the table, and what is left for it with its head."""
    empty: Line = ()
    head = [_title(state, width), _overall(state, width), _queues(state, width), _speed(state)]
    foot = [*_details(state), _note(state), _hints(width)]
    if height >= _ROOMY:
        foot = [*_details(state), *_file_bars(state), *foot[-2:]]
    if height >= 16:
        head, foot = [*head, empty], [empty, *foot]
    elif height < 12:
        head, foot = head[: max(0, min(2, height - 5))], foot[-2:] if height >= 4 else foot[-2:-1]
    return head, foot, max(1, height - len(head) - len(foot))


def _title(state: State, width: int) -> Line:
    rows, all_ = len(state.rows), len(state.picture.rows)
    count = f"{all_} ModelSync{'' if all_ == 1 else 's'}"
    if state.filter:
        count = f"{rows} of {all_} match {state.filter!r}"
    left: Line = (("modelsync", BOLD), (f"{_GAP}{state.where}", ""))
    contact = state.contact
    if contact.problem is None:
        right: Piece = ("live", Colour.GREEN)
    else:
        right = (f"no contact for {display.duration(contact.age_seconds)}", BAD)
    counted: Line = (*left, (_GAP + count, ""))
    shown = next((one for one in (counted, left) if _length((*one, right)) + 2 <= width), left[:1])
    return (*shown, (" " * max(2, width - _length((*shown, right))), ""), right)


def _overall(state: State, width: int) -> Line:
    whole = state.picture.whole
    if state.contact.problem is not None:
        age = f"figures of {state.picture.time:%H:%M:%S} UTC"
        return ((f"{age}: {state.contact.problem}; tried again", BAD),)
    eta = whole.eta
    left = None if eta is None else eta.text if eta.seconds is None else f"{eta.text} left"
    speed = None if whole.speed is None else whole.speed.text
    parts = (whole.bytes.percent_text, whole.bytes.text, speed, left, f"{whole.complete_text} complete")
    text = _GAP.join(part for part in parts if part)
    cells = min(_MOST_BAR, width - len(text) - 2)
    if whole.bytes.percent is None or cells < _LEAST_BAR:
        return ((text, ""),)
    return ((tables.bar(whole.bytes.percent, cells), whole.state.colour), (_GAP + text, ""))


def _queues(state: State, width: int) -> Line:
    pieces: list[Piece] = [("queues ", DIM)]
    queues = state.picture.queues
    for number, queue in enumerate(queues):
        rest = len(queues) - number
        piece = _queue(queue)
        room = width - _length(pieces) - (len(f"{_GAP}+{rest - 1} more") if rest > 1 else 0)
        if number and _length(piece) + 2 > room:
            pieces.append((f"{_GAP}+{rest} more", DIM))
            break
        pieces += [(_GAP if number else " ", ""), *piece]
    return tuple(pieces) if queues else ()


def _queue(queue: Queue) -> Line:
    counts, slots = queue.counts, queue.slots
    used = f"{queue.slots_used}/{slots} slots" if slots is not None else f"{counts.active} running"
    parts = [used] + [
        f"{number} {word}"
        for number, word in ((counts.waiting, "waiting"), (counts.failed, "failed"))
        if number
    ]
    return ((f"{queue.name} ", ""), (queue.state.word, queue.state.colour), (f" {', '.join(parts)}", ""))


def _speed(state: State) -> Line:
    whole = state.picture.whole
    running = sum(row.speed is not None for row in state.picture.rows)
    pieces: list[Piece] = []
    if whole.speed is not None:
        pieces += [
            ("speed   ", DIM),
            (f"{whole.speed.text} in {running} download{'' if running == 1 else 's'}", ""),
        ]
    if whole.network is not None:
        pieces += [(f"{'    ' if pieces else ''}network ", DIM), (whole.network.text, "")]
    return tuple(pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    head: str
    width: int
    least: int
    """The narrowest terminal that shows it."""
    cell: Callable[[Row], str]


def _progress(row: Row) -> str:
    """A bar with its figure; of one that has not begun, its place in the queue."""
    place = row.place.position if row.place is not None else None
    if row.bytes.percent is None or (place is not None and not row.bytes.done):
        return "" if place is None else f"place {place}"
    return f"{tables.bar(row.bytes.percent, 10)} {row.bytes.percent_text or '':>6}"


_COLUMNS = (
    _Column(head="STATUS", width=13, least=0, cell=lambda row: tables.badge(row.badge, plain=False)),
    _Column(head="PROGRESS", width=17, least=50, cell=_progress),
    _Column(
        head="SPEED", width=9, least=62, cell=lambda row: row.speed.text if row.speed is not None else ""
    ),
    _Column(head="ETA", width=11, least=76, cell=lambda row: row.eta.text if row.eta is not None else ""),
    _Column(head="AMOUNT", width=17, least=100, cell=lambda row: row.bytes.text or ""),
    _Column(head="FILES", width=9, least=112, cell=lambda row: row.files.text or ""),
    _Column(head="QUEUE", width=14, least=128, cell=lambda row: row.queue),
    _Column(head="NODE", width=20, least=150, cell=lambda row: row.node or ""),
)


def table(state: State, width: int, height: int) -> list[Line]:
    """The head and as many rows as fit, with the chosen one among them."""
    rows = state.rows
    if not rows:
        why = "None matches the filter; Esc clears it." if state.filter else "No ModelSyncs."
        nothing: Line = ((why, DIM),)
        return [nothing][:height]
    columns = [column for column in _COLUMNS if width >= column.least]
    names = [_name(row, state) for row in rows]
    room = max(8, width - 2 - sum(column.width + 2 for column in columns))
    name_width = min(room, max(4, *map(len, names)))
    head = "  " + _GAP.join(
        ["NAME".ljust(name_width), *(column.head.ljust(column.width) for column in columns)]
    )
    fits = max(0, height - 1)
    top = max(0, min(state.place - fits // 2, len(rows) - fits))
    shown = f"{top + 1}-{min(top + fits, len(rows))} of {len(rows)}"
    if len(rows) > fits and len(head.rstrip()) + len(shown) + 2 <= width:
        head = head.rstrip().ljust(width - len(shown)) + shown
    lines: list[Line] = [((head.rstrip(), DIM),)]
    places = range(top, min(top + fits, len(rows)))
    lines += [_row(state, rows[place], names[place], name_width, columns) for place in places]
    return lines[:height]


def _name(row: Row, state: State) -> str:
    return f"{row.namespace}/{row.name}" if state.everywhere else row.name


def _row(state: State, row: Row, name: str, name_width: int, columns: Sequence[_Column]) -> Line:
    chosen = state.chosen == (row.namespace, row.name)
    pieces: list[Piece] = [("▸ " if chosen else "  ", BOLD)]
    pieces.append((tables.shortened(name, name_width).ljust(name_width), CHOSEN if chosen else ""))
    for column in columns:
        cell = tables.shortened(column.cell(row), column.width).ljust(column.width)
        coloured = column.head == "STATUS" or (column.head == "PROGRESS" and row.bytes.percent is not None)
        pieces += [(_GAP, ""), (cell, row.badge.colour if coloured else "")]
    return tuple(pieces)


def _details(state: State) -> list[Line]:
    """Three lines on the chosen row: what it does, its figures, and what to do or why it waits."""
    row = state.row
    if row is None:
        return [(), (), ()]
    since = seconds_since(row.since, state.picture.time)
    reason = f" ({row.reason})" if row.reason and row.reason != row.badge.word else ""
    age = "" if since is None else f" for {display.duration(since)}"
    message = f": {row.message}" if tables.says_more(row.message, row.badge) else ""
    first: Line = (
        (f"{row.namespace}/{row.name} ", BOLD),
        (f"{row.badge.word}{reason}{age}", row.badge.colour),
        (message, ""),
    )
    parts = (
        row.bytes.text,
        f"files {row.files.text}" if row.files.text else None,
        row.attempt.text if row.attempt is not None else None,
        f"limit {row.bandwidth_limit}B/s" if row.bandwidth_limit else None,
        f"priority {row.priority}" if row.priority else None,
        row.node,
        row.files.current,
    )
    second = _GAP.join(part for part in parts if part) or f"{row.source} → {row.target}"
    stage = row.stage if tables.says_more(row.stage, row.badge) else None
    third = (
        row.remedy.text
        if row.remedy is not None
        else row.place.text
        if row.place is not None
        else stage or ""
    )
    return [first, ((second, ""),), ((third, DIM),)]


def _file_bars(state: State) -> list[Line]:
    """The files that the chosen one fetches, as far as its status names them."""
    row = state.row
    if row is None:
        return []
    return [
        (
            (tables.bar(file.bytes.percent, 10), row.badge.colour),
            (f"  {file.bytes.text or '':<15}  {file.path}", ""),
        )
        for file in row.file_bars[:_MOST_FILES]
    ]


def _note(state: State) -> Line:
    order = state.order
    match state.mode:
        case Mode.FILTER:
            return (("filter: ", BOLD), (f"{state.typed}█", ""), ("  Enter keeps it, Esc clears it", DIM))
        case Mode.CONFIRM if order is not None:
            return ((f"Cancel {order.about}? What it has stays on the volume. ", BOLD), ("y / n", CHOSEN))
        case Mode.VALUE if order is not None:
            kind = (
                "bytes per second, 50M or none"
                if order.act == "limit"
                else "-1000 to 1000, higher goes first"
            )
            asked = ((f"{order.act} of {order.about}: ", BOLD), (f"{state.typed}█", ""))
            return (*asked, (f"  {state.note}", BAD) if state.note else (f"  {kind}", DIM))
    return ((state.note, BAD if state.bad else ""),)


def _hints(width: int) -> Line:
    return ((HINTS if len(HINTS) <= width else _SHORT_HINTS, DIM),)


_HELP: tuple[Line, ...] = tuple(
    ((text, BOLD if number == 0 else ""),)
    for number, text in enumerate(
        """kubectl modelsync watch
Leaving it stops no download, nor does closing the terminal.

↑ ↓  k j        choose a ModelSync          PgUp PgDn Home End   move further
p               pause: it keeps what it has
u               resume what is paused or cancelled
c               cancel, after a question; what it has stays on the volume
r               retry what failed or waits for a retry, at once
l               limit its speed
y               its priority in the queue
/               show only what matches: name, status, queue, group, source
Esc             show all again
q  Ctrl-C       quit

An act is a change of the ModelSync, with your own rights.
Press any key to go back.""".splitlines()
    )
)


def _length(pieces: Sequence[Piece]) -> int:
    return sum(len(text) for text, _ in pieces)


def _cut(line: Line, width: int) -> Line:
    """At most `width` characters of it."""
    found, room = list[Piece](), width
    for text, style in line:
        if len(text) > room:
            found.append((tables.shortened(text, room), style))
            break
        found.append((text, style))
        room -= len(text)
    return tuple(found)
