"""Speeds of the past for the chart: what a feed has seen, and so never more than its caller may see."""

from datetime import datetime

from modelsync.reading import history, values

STEP_SECONDS = 5
"""Of the history's own steps: each of them takes one figure, or it would have holes."""


class Recorder:
    """The speed of every sync, every queue and in total, each five seconds."""

    def __init__(self, started: datetime) -> None:
        self.history = history.History(started)
        self._step = 0

    def peak(self, now: datetime) -> int | None:
        """The highest speed of all downloads together in the last 24 hours, in bytes per second."""
        spans = (self.history.series(history.TOTAL, span, now).down for span in ("1h", "24h"))
        return max((round(value) for values in spans for value in values if value), default=None)

    def record(self, now: datetime, found: values.Picture) -> None:
        """Take the present speeds, if it is time."""
        step = int(now.timestamp() // STEP_SECONDS)
        if step == self._step:
            return
        self._step = step
        speeds: dict[str, float] = {"total": 0.0}
        for row in found.rows:
            if row.speed is None:
                continue
            speed = row.speed.bytes_per_second
            for key in ("total", f"queue/{row.queue}", f"sync/{row.namespace}/{row.name}"):
                speeds[key] = speeds.get(key, 0.0) + speed
        network = found.whole.network
        self.history.record(now, speeds, up=None if network is None else network.up.bytes_per_second)
