"""Logging of the operator: text for people or JSON for collectors, never a secret.

Redaction works on the finished line, whichever library wrote it: the query of a URL may hold a signature, and
an Authorization header or a token a credential. So does cleaning: a record is one line, whatever its values
hold, but for a traceback, of which each line is cleaned.
"""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from modelsync.api.common import untrusted

_SECRETS = (
    (re.compile(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>]*"), r"\1?…"),
    (re.compile(r"(https?://)[^\s/@'\"]+@"), r"\1…@"),
    (
        re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)((bearer|basic|aws4[\w-]*)\s+)?[^\s'\",]+"),
        r"\1…",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 …"),
    (re.compile(r"\bhf_[A-Za-z0-9]{8,}"), "hf_…"),
)
_LIBRARIES = ("kopf", "aiohttp", "asyncio", "kubernetes", "urllib3")


def redact(line: str) -> str:
    """The line without URL queries, user information, Authorization headers and tokens."""
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return line


class LineFormatter(logging.Formatter):
    """Any format, with the message on one line that no terminal obeys."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        record.message = untrusted.clean(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """A traceback, whose last lines hold an error's text."""
        return "\n".join(map(untrusted.clean, super().formatException(ei).split("\n")))


class TextFormatter(LineFormatter):
    """`time level logger: message`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One record, redacted."""
        return redact(super().format(record))


class JsonFormatter(LineFormatter):
    """One JSON object a line: time, level, logger, message and, where there is one, error."""

    def format(self, record: logging.LogRecord) -> str:
        """One record, redacted."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(untrusted.clean(record.getMessage())),
        }
        if record.exc_info:
            entry["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


class _Counting(logging.Handler):
    """Counts errors that are logged with an exception: what nobody foresaw, wherever it was caught."""

    def __init__(self, count: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._count = count

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record by the part that it names, else by the module or library that wrote it."""
        if record.exc_info and record.exc_info[0] is not None:
            ours = record.name.startswith("modelsync.")
            self._count(getattr(record, "part", record.name.split(".")[-1 if ours else 0]))


@contextlib.contextmanager
def counted(count: Callable[[str], None]) -> Iterator[None]:
    """While this lasts, count unforeseen exceptions by where they were caught."""
    handler = _Counting(count)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def set_level(level: str) -> None:
    """The least level from now on, of a log that is configured."""
    logging.getLogger().setLevel(level.upper())


def configure(style: str, level: str) -> None:
    """Log to standard error; libraries only what needs attention."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # These warn of what is no trouble (kopf leaves the signals alone) or what we log ourselves as an error.
    for name in ("kopf._core.reactor.running", "kubernetes"):
        logging.getLogger(name).setLevel(logging.ERROR)
