"""A program in a terminal of its own: what it wrote, what stands on the screen, and keys."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pyte

_PATIENCE = 180.0
"""Seconds: far beyond what a loaded machine needs, so that only a fault reaches it."""


class PseudoTerminal:
    """A program with a terminal as its standard streams; a context that ends it."""

    def __init__(self, words: Sequence[str], *, columns: int = 80, lines: int = 24, **variables: str) -> None:
        self._master, slave = pty.openpty()
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        self.raw = b""
        """All that was written."""
        self._size(columns, lines)
        self.slave = slave
        """Kept open, so that what the program left of its settings can be read."""
        self.before = self.settings
        """Before the program ran."""
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.program = subprocess.Popen(
            words,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
            env=environment | {"TERM": "xterm-256color"} | variables,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.program.kill()
        self.program.wait()
        os.close(self.slave)

    @property
    def text(self) -> str:
        """The screen, line by line."""
        with self._changed:
            return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def settings(self) -> list[Any]:
        """Of the terminal: echo, line mode and so on."""
        return termios.tcgetattr(self.slave)

    @property
    def is_whole(self) -> bool:
        """Whether the program has given back the screen and its cursor."""
        return (
            self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h") and not self._screen.cursor.hidden
        )

    def until(self, holds: Callable[[str], bool], what: str) -> str:
        """Wait until the screen shows something; returns it."""
        with self._changed:
            shown = self._changed.wait_for(lambda: holds(self.text_now()), _PATIENCE)
            assert shown, f"{what} never came; the screen is:\n{self.text_now()}"
            return self.text_now()

    def text_now(self) -> str:
        """The screen, for one who holds the lock."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def shows(self, *words: str) -> str:
        """Wait until all of these stand on the screen."""
        return self.until(lambda text: all(word in text for word in words), " and ".join(words))

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """The window gets another size."""
        with self._changed:
            self._screen.resize(lines, columns)
        self._size(columns, lines)

    def send(self, number: int) -> None:
        """A signal."""
        self.program.send_signal(number)

    def code(self) -> int:
        """Wait for its end and for all that it wrote; returns the exit code."""
        found = self.program.wait(_PATIENCE)
        marker = b"-- end --"
        os.write(self.slave, marker)
        with self._changed:
            assert self._changed.wait_for(lambda: marker in self.raw, _PATIENCE)
        return found

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:
                data = b""
            with self._changed:
                if not data:
                    os.close(self._master)
                    return
                self.raw += data
                self._stream.feed(data)
                self._changed.notify_all()


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
