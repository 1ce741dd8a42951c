"""The bytes of a keyboard as keys: letters as they are, and names for the others."""

import codecs
import re

_NAMED = {
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x15": "ctrl-u",
    "\x03": "ctrl-c",
    "\x1b": "escape",
}
_SEQUENCES = {
    "A": "up",
    "B": "down",
    "H": "home",
    "F": "end",
    "1~": "home",
    "7~": "home",
    "4~": "end",
    "8~": "end",
    "5~": "pageup",
    "6~": "pagedown",
}
_SEQUENCE = re.compile(r"\x1b[\[O]([0-9;?<]*[A-Za-z~])")
_BEGUN = re.compile(r"\x1b(?:[\[O][0-9;?<]*)?\Z")


class Decoder:
    """Keys from bytes, which may end in the middle of one."""

    def __init__(self) -> None:
        self._text = ""
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def is_in_key(self) -> bool:
        """Whether the rest may be Escape, or the beginning of a key that sends several bytes."""
        return bool(self._text)

    def feed(self, data: bytes) -> list[str]:
        """The keys that are complete."""
        self._text += self._utf8.decode(data)
        return self._taken(to_the_end=False)

    def flush(self) -> list[str]:
        """The rest, when nothing has followed: an Escape that was pressed alone."""
        return self._taken(to_the_end=True)

    def _taken(self, *, to_the_end: bool) -> list[str]:
        keys, text = list[str](), self._text
        while text:
            if not to_the_end and _BEGUN.match(text):
                break
            found = _SEQUENCE.match(text)
            if found is not None:
                text = text[found.end() :]
                named = _SEQUENCES.get(found[1])
                keys += [named] if named is not None else []
                continue
            letter, text = text[0], text[1:]
            if letter in _NAMED:
                keys.append(_NAMED[letter])
            elif letter.isprintable():
                keys.append(letter)
        self._text = text
        return keys
