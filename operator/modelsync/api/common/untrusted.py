"""Values of others: what a worker, a Pod, a Job, the API server or an origin may put into a status or a log.

Each entrance cleans with what is here, once, so nothing behind it has to: `protocol` for reports of workers,
`parsing` and `start_diagnosis` for objects, `api_client` for answers of the API server, `Failure` for
whatever an attempt says of an origin. Logs clean their lines too, since libraries write there. A text is one
line that shows what it is: it moves no cursor, turns no direction and hides nothing. A number is one that the
API server stores.
"""

import re
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

MAX_COUNT = 2**53
"""The largest count: each up to it is exact in JSON and in a metric, and a sum of some is within int64. As
bytes it is 9 PB."""
_MOST_DIGITS = len(str(MAX_COUNT))
_BREAKS = re.compile("[\t\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029]+")
_BLANKS = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0]")
"""What counts as printable and shows nothing."""
_CUT = "…"


def clean(text: str, most: int | None = None) -> str:
    """The text as one printable line of at most `most` characters.

    Line breaks and tabs become a space; controls (C0, C1, DEL), marks of direction, characters without width,
    lone surrogates and what is not assigned become U+FFFD.
    """
    if most is not None and len(text) > most:
        text = text[: most - 1] + _CUT
    if text.isprintable() and not _BLANKS.search(text):
        return text
    shown = _BLANKS.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", text))
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in shown)


def count(text: str) -> int | None:
    """A header's decimal number; None for anything else, and for more than MAX_COUNT."""
    if not text.isdecimal() or len(text) > _MOST_DIGITS or not text.isascii():
        return None
    found = int(text)
    return found if found <= MAX_COUNT else None


def at_most(number: int) -> int:
    """A sum of counts, within the bound of one."""
    return min(number, MAX_COUNT)


def is_sane(moment: datetime) -> bool:
    """Whether a time is one that can be reckoned with: sums of it and of days stay within the calendar."""
    return 1970 <= moment.year <= 9000


def _cleaned(value: Any, most: int) -> Any:
    return clean(value, most) if isinstance(value, str) else value


Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Text = Annotated[str, BeforeValidator(partial(_cleaned, most=1024)), Field(max_length=1024)]
"""A sentence for people."""
Cause = Annotated[str, BeforeValidator(partial(_cleaned, most=300)), Field(max_length=300)]
"""A short sentence."""
PathText = Annotated[str, BeforeValidator(partial(_cleaned, most=500)), Field(max_length=500)]
"""A path, to be shown and not to be opened."""
Word = Annotated[str, BeforeValidator(partial(_cleaned, most=128)), Field(max_length=128)]
"""A revision or a digest."""
