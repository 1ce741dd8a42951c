"""JSON of the API server as objects, whatever stands in it: what cannot be read is one object's trouble.

Anybody who may write one object in one namespace decides about a part of what is read here, and the API
server keeps more than a decoder takes: 10,000 levels of nesting, a megabyte of `metadata.managedFields`. So
the text is first scanned bracket by bracket, without recursion and without making values of it: that finds
where each object begins and ends, leaves out what nobody here reads, and puts a mark in the place of what is
nested too deeply. What remains is parsed one object at a time, by a parser that raises a ValueError or
nothing. An object with a mark in its spec then is an invalid one, with a status that says so, and no Job or
Pod gets lost for what stands in a part of it that does not matter.

A list is read as its bytes come: no more than one object of it is ever held as text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from modelsync.api import naming
from modelsync.runtime.cluster.resources import JOBS, PODS, Resource

Object = dict[str, Any]

DEEPEST = 32
"""Levels below an object's own braces. A Pod with all affinities has 12, its managedFields 14."""
TOO_DEEP = f"(nested deeper than {DEEPEST} levels)"
"""Stands where something was cut off, and for the whole spec where that is a part of one."""
UNREADABLE = "(not readable)"
"""Stands for a spec that cannot be parsed."""

_PLAIN = rb'[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_LEAP = 6
"""Levels of a part that is passed over in one step: nearly all parts of ordinary objects have fewer."""


def _next_bracket(leap: int) -> re.Pattern[bytes]:
    """Up to the next bracket; what is between may hold whole parts of so many levels."""
    between = _PLAIN
    for _ in range(leap):
        between = _PLAIN + rb"|[\[{](?:" + between + rb")*+[\]}]"
    return re.compile(rb"(?:" + between + rb")*+[\[\]{}]", re.DOTALL)


_EACH, _FLAT, _DEEP = _next_bracket(0), _next_bracket(1), _next_bracket(_LEAP)
_OPENING = frozenset(b"[{")
_KEY = re.compile(rb'"([^"\\]*)"\s*:\s*\Z')
_LIST, _EVENT, _ONE = 3, 2, 1
"""Depth of an object in a list, in a watch's event, and by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What is left out of an object."""

    whole: frozenset[bytes] = frozenset()
    """Fields of the object, with all below them."""
    below: frozenset[bytes] = frozenset()
    """Fields of the object of which only the plain values are read."""


NOTHING = Unread()
_BELOW_SPEC = Unread(below=frozenset({b"spec"}))
_OUR_ANNOTATIONS = (naming.RETRY_ANNOTATION, naming.KEY_ANNOTATION, naming.PROOF_ANNOTATION)
"""All that is read of an object from a list or a watch."""
_MANAGED = (b"metadata", b"managedFields")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The text of one object, without what is left out."""

    json: bytes
    cut: frozenset[bytes]
    """The object's fields in which something was nested too deeply, and has a mark in its place."""


class Scanner:
    """Cuts the text of a list, an event or an object into the texts of its objects; see the module."""

    def __init__(self, depth: int, unread: Unread = NOTHING) -> None:
        self._at = depth
        self._unread = unread
        self._rest = b""
        self._depth = 0
        self._skipped_from = 0
        self._field = b""
        self._cut: set[bytes] = set()
        self._parts: list[bytes] = []
        self._frame: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[Text]:
        """The objects that are complete with these further bytes."""
        text, kept, end = self._rest + data, 0, 0
        while True:
            if self._skipped_from:
                kept = end = self._skip(text, end)
            inside = 1 < self._depth - self._at <= DEEPEST - _LEAP
            found = None if self._skipped_from else (_DEEP if inside else _EACH).match(text, end)
            if found is None:
                break
            start, end = end, found.end()
            if text[end - 1] in _OPENING:
                self._depth += 1
                kept = self._open(text, start, kept, end)
                continue
            if self._depth == self._at:
                yield self._complete(text[kept:end])
                kept = end
            self._depth -= 1
        self._keep(text[kept:end])
        self._rest = text[end:]

    def _skip(self, text: bytes, end: int) -> int:
        """Go to the end of what is left out; returns how far this text goes."""
        depth, stop = self._depth, self._skipped_from
        while depth >= stop and (found := _FLAT.match(text, end)) is not None:
            end = found.end()
            depth += 1 if text[end - 1] in _OPENING else -1
        self._depth = depth
        if depth < stop:
            self._skipped_from = 0
        return end

    def frame(self) -> Object:
        """What stood around the objects, each of them being 0; raises ValueError when that is not JSON."""
        if self._depth:
            raise ValueError("the text ends within an object")
        return _mapping(b"".join(self._frame) + self._rest)

    def _keep(self, text: bytes) -> None:
        (self._parts if self._depth >= self._at else self._frame).append(text)

    def _open(self, text: bytes, start: int, kept: int, end: int) -> int:
        """Go a level deeper; returns from where on the text is to be kept."""
        level = self._depth - self._at
        if level == 0:
            self._frame.append(text[kept : end - 1] + b"0")
            return end - 1
        deep = level > DEEPEST
        if not deep and (level not in (1, 2) or not self._is_unread(level, text[start : end - 1])):
            return kept
        self._keep(text[kept : end - 1])
        self._keep(f'"{TOO_DEEP}"'.encode() if deep else b"null")
        if deep:
            self._cut.add(self._field)
        self._skipped_from = self._depth
        return end

    def _is_unread(self, level: int, before: bytes) -> bool:
        found = _KEY.search(before)
        key = found[1] if found is not None else b""
        if level == 1:
            self._field = key
            return key in self._unread.whole
        return self._field in self._unread.below or (self._field, key) == _MANAGED

    def _complete(self, text: bytes) -> Text:
        self._parts.append(text)
        whole = Text(json=b"".join(self._parts), cut=frozenset(self._cut))
        self._parts, self._cut = [], set()
        return whole


def unread(resource: Resource) -> Unread:
    """What is left out of objects of a type; of Jobs and Pods, nearly all is what their author wished."""
    return _BELOW_SPEC if resource in (JOBS, PODS) else NOTHING


def listed(unread: Unread = NOTHING) -> Scanner:
    """A scanner for a list; its frame has the list's metadata."""
    return Scanner(_LIST, unread)


def event(line: bytes, unread: Unread = NOTHING) -> tuple[str, Text]:
    """The type and the object of a watch's line; raises ValueError when it is none."""
    scanner = Scanner(_EVENT, unread)
    texts = list(scanner.feed(line))
    kind = scanner.frame().get("type")
    if len(texts) != 1 or not isinstance(kind, str):
        raise ValueError("not an event of a watch")
    return kind, texts[0]


def one(raw: bytes) -> Object:
    """A single object; raises ValueError when it cannot be read."""
    scanner = Scanner(_ONE)
    texts = list(scanner.feed(raw))
    if len(texts) != 1:
        raise ValueError("not a JSON object")
    return _parsed(texts[0])


def read(text: Text) -> tuple[Object, bool]:
    """An object and whether all of it could be read; raises ValueError when not even its metadata can.

    One that cannot be parsed is tried with its metadata alone: a Job or Pod without a status then is one that
    runs, which is the safe thing to believe, and a ModelSync has a spec that nobody acts on.
    """
    try:
        return _slim(_parsed(text)), not text.cut
    except ValueError:
        rest = Scanner(_ONE, Unread(whole=frozenset({b"spec", b"status"})))
        (bare,) = rest.feed(text.json)
        return {**_slim(_parsed(bare)), "spec": UNREADABLE}, False


def _parsed(text: Text) -> Object:
    """An object without managedFields; a spec that was cut is none."""
    found = _mapping(text.json)
    meta = found.get("metadata")
    if isinstance(meta, dict):
        meta.pop("managedFields", None)
    return {**found, "spec": TOO_DEEP} if b"spec" in text.cut else found


def _slim(found: Object) -> Object:
    """Without annotations of others: one may have 256 KiB."""
    meta = found.get("metadata")
    notes = meta.get("annotations") if isinstance(meta, dict) else None
    if isinstance(meta, dict) and isinstance(notes, dict):
        meta["annotations"] = {name: notes[name] for name in _OUR_ANNOTATIONS if name in notes}
    return found


def _mapping(text: bytes) -> Object:
    found = from_json(text)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
