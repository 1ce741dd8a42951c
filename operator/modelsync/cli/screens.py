"""How `modelsync pull` shows progress: bars on a terminal, lines elsewhere, JSON for programs.

All three get the same reading of the engine's counters, made now and then; none is called for single bytes.
Bars and lines go to standard error, so that standard output stays for results.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from modelsync.api.common import display
from modelsync.api.protocol import FileProgress, Progress, Retrying, StageProgress
from modelsync.api.reasons import Layer, Stage

MOST_BARS = 8
"""Files shown at once; more would push the total off the screen."""
LINE_SECONDS = 5.0
JSON_SECONDS = 1.0
VERBS = {
    Stage.RESOLVING: "Looking up files",
    Stage.CHECKING: "Checking files",
    Stage.DOWNLOADING: "Downloading",
    Stage.VERIFYING: "Verifying",
    Stage.PUBLISHING: "Publishing",
    Stage.DONE: "Done",
}
"""What each stage does, in a word."""

_LAYERS = {Layer.FILES: "by file sizes", Layer.NETWORK: "by network counters"}
"""Where figures are from that the engine does not report itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far a pull is at one moment."""

    stage: Stage
    progress: Progress
    files: Sequence[FileProgress]
    retries: int = 0
    stage_progress: StageProgress = field(default_factory=StageProgress)
    retrying: Retrying | None = None
    """What is tried again, while nothing comes."""

    @property
    def waits(self) -> str:
        """How long the origin wants no request; empty when it has not asked for that."""
        again = self.retrying
        if again is None or not again.asked:
            return ""
        return f"waiting {display.duration(again.next_seconds)} as the origin asks"


class Screen(Protocol):
    """Something that shows readings."""

    def show(self, reading: Reading) -> None:
        """Show a reading; called several times a second."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def screen_for(*, as_json: bool, out: TextIO, err: TextIO) -> Screen:
    """The screen that fits: JSON when asked for, bars on a capable terminal, else lines."""
    if as_json:
        return JsonScreen(out, err)
    from modelsync.cli import bars  # a program that reads JSON need not wait for rich

    return bars.screen_on(err) or LineScreen(err)


class LineScreen:
    """A line when the stage changes, and every 5 seconds while bytes come."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._stage: Stage | None = None
        self._written = clock()
        self._bytes = -1
        self._waits = False

    def show(self, reading: Reading) -> None:
        """Write a line if there is something new to say."""
        progress = reading.progress
        if reading.stage is not self._stage:
            self._stage = reading.stage
            if reading.stage not in (Stage.DOWNLOADING, Stage.DONE):
                self.say(f"{VERBS[reading.stage]}...")
        if reading.waits and not self._waits and reading.retrying is not None:
            self.say(f"{reading.waits.capitalize()}: {reading.retrying.cause}")
        self._waits = bool(reading.waits)
        due = self._clock() - self._written >= LINE_SECONDS
        if reading.stage is Stage.DOWNLOADING and due and progress.bytes_done != self._bytes:
            self._written, self._bytes = self._clock(), progress.bytes_done
            speed = "" if not progress.bytes_per_second else f", {display.speed(progress.bytes_per_second)}"
            amount = display.log_line(progress.bytes_done, progress.bytes_total) + speed
            self.say(", ".join([amount, *remarks(reading)]))

    def say(self, text: str) -> None:
        """Write a line."""
        print(text, file=self._out, flush=True)

    def close(self) -> None:
        """Nothing to leave."""


class JsonScreen:
    """A JSON document a line, each second and when the stage changes."""

    def __init__(self, out: TextIO, err: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._err, self._clock = out, err, clock
        self._stage: Stage | None = None
        self._written = clock()

    def show(self, reading: Reading) -> None:
        """Write the reading if it is time."""
        now = self._clock()
        if reading.stage is self._stage and now - self._written < JSON_SECONDS:
            return
        self._stage, self._written = reading.stage, now
        files = [file.dump() for file in reading.files[:MOST_BARS]]
        document: dict[str, Any] = {
            "stage": reading.stage,
            "progress": reading.progress.dump(),
            "files": files,
            "retries": reading.retries,
        }
        document |= _of_stage(reading)
        document |= {} if reading.retrying is None else {"retrying": reading.retrying.dump()}
        left = _seconds_left(reading.progress)
        document |= {} if left is None else {"secondsLeft": math.ceil(left)}
        print(json.dumps(document), file=self._out, flush=True)

    def say(self, text: str) -> None:
        """Write a line for people, beside the documents."""
        print(text, file=self._err, flush=True)

    def close(self) -> None:
        """Nothing to leave."""


def _of_stage(reading: Reading) -> dict[str, Any]:
    shown = reading.stage_progress.dump()
    return {"stageProgress": shown} if shown else {}


def title(reading: Reading) -> str:
    """What is being done, and with how many files."""
    progress, part = reading.progress, reading.stage_progress
    if part.files_done is not None or part.bytes_done is not None:
        far = display.counted(part.files_done, part.files_total, part.bytes_done, part.bytes_total, of="/")
        return f"{VERBS[reading.stage]} {far}"
    if progress.files_total is None:
        return VERBS[reading.stage]
    return f"{VERBS[reading.stage]} {progress.files_done}/{progress.files_total} files"


def brief(done: int, total: int | None) -> str:
    """Bytes of one file."""
    return display.size(done) if total is None else f"{display.size(done)}/{display.size(total)}"


def remarks(reading: Reading) -> list[str]:
    """What a reader of the figures should know: where they are from, and requests that were tried again."""
    source = _LAYERS.get(reading.progress.layer)
    notes = [source] if source and reading.stage is Stage.DOWNLOADING else []
    if reading.retries:
        notes.append("1 retry" if reading.retries == 1 else f"{reading.retries} retries")
    return [*notes, reading.waits] if reading.waits else notes


def tail(progress: Progress) -> str:
    """Amount, speed and time left, as far as they are known."""
    if progress.bytes_total is None and not progress.bytes_done:
        return ""
    parts = [display.amount(progress.bytes_done, progress.bytes_total)]
    speed = progress.bytes_per_second
    if speed:
        parts.append(display.speed(speed))
    left = _seconds_left(progress)
    if left is not None:
        parts.append(display.duration(left))
    return "  ".join(parts)


def _seconds_left(progress: Progress) -> float | None:
    return display.seconds_left(progress.bytes_done, progress.bytes_total, progress.bytes_per_second)
