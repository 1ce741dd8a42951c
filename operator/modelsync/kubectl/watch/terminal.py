"""The terminal of `watch`: keys and signals in, lines out, and on every way out it is as it was before.

Rich draws, since it knows the width of characters and the colours of terminals. Signals come through a pipe
into the same wait as keys, so that one thread does one thing at a time and nothing happens inside a handler.
"""

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from types import FrameType, TracebackType
from typing import Any

import rich.console
import rich.control
import rich.screen
import rich.style
import rich.text

from modelsync.kubectl.watch import layout
from modelsync.kubectl.watch.keys import Decoder
from modelsync.reading.values import Colour
from modelsync.settings import environment

_ESCAPE_SECONDS = 0.1
"""An Escape after which nothing comes for so long was pressed alone."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_STYLES: dict[str, rich.style.Style] = {
    name: rich.style.Style.parse(text)
    for name, text in {
        "": "none",
        layout.DIM: "bright_black",
        layout.BOLD: "bold",
        layout.CHOSEN: "reverse",
        layout.BAD: "red",
        Colour.GREY: "bright_black",
        Colour.YELLOW: "yellow",
        Colour.BLUE: "blue",
        Colour.AMBER: "yellow",
        Colour.GREEN: "green",
        Colour.RED: "red",
        Colour.BLACK: "bright_black",
    }.items()
}


class Terminal:
    """The terminal of this process, as a context: outside of it the screen is that of the shell."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        self._console = rich.console.Console(
            force_terminal=True,
            no_color=environment.no_color(),
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        self._keys = Decoder()
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._came: list[int] = []
        self._before: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self.ended_by: int | None = None
        """The signal that asks the program to end."""

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines at this moment."""
        with contextlib.suppress(OSError):
            found = os.get_terminal_size(sys.stdout.fileno())
            if found.columns and found.lines:
                return found.columns, found.lines
        return 80, 24

    def __enter__(self) -> "Terminal":
        self._before = termios.tcgetattr(self._input)
        for number in (*_ENDING, signal.SIGTSTP, signal.SIGWINCH):
            self._handlers[number] = signal.signal(number, self._note)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._give_back()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def wake(self) -> None:
        """End a wait, from any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._woken, b"\0")

    def wait(self, seconds: float) -> list[str]:
        """The keys that were pressed; returns earlier than `seconds` where there is anything new to see."""
        ready = self._select(_ESCAPE_SECONDS if self._keys.is_in_key else seconds)
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 65_536)
        self._handle_signals()
        if self._input not in ready:
            return [] if self._wake in ready else self._keys.flush()
        try:
            data = os.read(self._input, 4096)
        except OSError:
            data = b""
        if not data:  # the terminal is gone
            self.ended_by = signal.SIGHUP
        return self._keys.feed(data)

    def draw(self, lines: Sequence[layout.Line]) -> None:
        """Show lines from the top; the rest of the screen becomes empty."""
        width, height = self.size
        self._console.size = rich.console.ConsoleDimensions(width, height)
        shown = [rich.text.Text.assemble(*_pieces(line), no_wrap=True, overflow="crop") for line in lines]
        try:
            with self._console:
                self._console.control(rich.control.Control.home())
                self._console.print(rich.screen.Screen(rich.console.Group(*shown)), end="")
        except OSError:  # the terminal is gone
            self.ended_by = signal.SIGHUP

    def _select(self, seconds: float) -> Sequence[int]:
        return select.select([self._input, self._wake], [], [], seconds)[0]

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)

    def _handle_signals(self) -> None:
        while self._came:
            number = self._came.pop(0)
            if number in _ENDING:
                self.ended_by = number
            elif number == signal.SIGTSTP:
                self._suspend()

    def _suspend(self) -> None:
        """Ctrl-Z: the shell gets its terminal, and `fg` brings the screen back."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._note)
        self._take()

    def _take(self) -> None:
        tty.setcbreak(self._input)
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)

    def _give_back(self) -> None:
        with contextlib.suppress(OSError):
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)


def _pieces(line: layout.Line) -> Iterator[tuple[str, rich.style.Style]]:
    return ((text, _STYLES[style]) for text, style in line)
