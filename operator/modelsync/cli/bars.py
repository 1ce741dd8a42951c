"""Bars on a terminal, drawn by Rich, which honours NO_COLOR by itself."""

from typing import TextIO

import rich.console
import rich.progress
import rich.table
import rich.text

from modelsync.api.common import untrusted
from modelsync.api.reasons import Stage
from modelsync.cli.screens import MOST_BARS, VERBS, Reading, brief, remarks, tail, title


def screen_on(out: TextIO) -> "BarScreen | None":
    """Bars, where a terminal can show them."""
    console = rich.console.Console(file=out)
    return BarScreen(console) if console.is_terminal and not console.is_dumb_terminal else None


class BarScreen:
    """A bar for each file that is being fetched, and one for all of them."""

    def __init__(self, console: rich.console.Console) -> None:
        self._console = console
        self._bars = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}", table_column=_column(ratio=2)),
            rich.progress.BarColumn(bar_width=None, table_column=_column(ratio=2)),
            _AmountColumn(),
            console=console,
            auto_refresh=False,
            expand=True,
            transient=True,
        )
        self._total = self._bars.add_task(VERBS[Stage.RESOLVING], total=None)
        self._files: dict[str, rich.progress.TaskID] = {}
        self._bars.start()

    def show(self, reading: Reading) -> None:
        """Redraw the bars."""
        active = {file.path: file for file in reading.files[:MOST_BARS]}
        for path in set(self._files) - set(active):
            self._bars.remove_task(self._files.pop(path))
        for path, file in active.items():
            if path not in self._files:
                self._files[path] = self._bars.add_task(rich.text.Text(_safe(path)).markup, total=None)
            amount = brief(file.bytes_done, file.bytes_total)
            self._bars.update(
                self._files[path], completed=file.bytes_done, total=file.bytes_total, amount=amount
            )
        progress = reading.progress
        self._bars.update(
            self._total,
            description=title(reading),
            completed=progress.bytes_done,
            total=progress.bytes_total,
            amount="  ".join(filter(None, [tail(progress), *remarks(reading)])),
        )
        self._bars.refresh()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Take the bars off the screen."""
        self._bars.stop()


class _AmountColumn(rich.progress.ProgressColumn):
    """Our own figures, written by the display rules."""

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        return rich.text.Text(str(task.fields.get("amount", "")), justify="right", no_wrap=True)


def _column(ratio: int) -> rich.table.Column:
    return rich.table.Column(ratio=ratio, no_wrap=True, overflow="ellipsis")


def _safe(path: str) -> str:
    """A source's name without what a terminal would obey."""
    return untrusted.clean(path, 500)
