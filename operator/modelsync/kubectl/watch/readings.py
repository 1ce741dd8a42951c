"""From objects to the picture of one moment, reading again only what time or a change has made different."""

from datetime import datetime, timedelta

from modelsync.kubectl.watch.feed import Key, News, Object
from modelsync.reading import forecast, picture, rows
from modelsync.reading.values import Picture, Row


class Readings:
    """Pictures, one after the other; for one thread."""

    def __init__(self) -> None:
        self._memory = forecast.Forecasts()
        self._rows: dict[Key, tuple[Object, Row]] = {}

    def picture(self, news: News, now: datetime, away_seconds: float) -> Picture:
        """The picture of what is known; while the API server is away, the last one that it gave."""
        if news.problem is not None:
            now -= timedelta(seconds=away_seconds)
        self._rows = {key: (sync, self._row(key, sync, now)) for key, sync in news.syncs.items()}
        found = [row for _, row in self._rows.values()]
        return picture.of_rows(found, news.queues, now, self._memory)

    def _row(self, key: Key, sync: Object, now: datetime) -> Row:
        """A row of the same object says the same, unless something of it runs."""
        before = self._rows.get(key)
        if before is not None and before[0] is sync and not before[1].badge.active:
            return before[1]
        return rows.read(sync, now, self._memory)
