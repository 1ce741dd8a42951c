"""The configuration's file while the operator runs: what changed acts, and what is wrong is reported.

The file's content is looked at every few seconds. That needs to know nothing of how it was written: the
kubelet swaps a directory's symbolic link, editors rename or write in place. Content is taken once two looks
in a row found the same, so half a file is never taken for a document. What cannot be read leaves all as it
was.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from modelsync.errors import ConfigError
from modelsync.settings import config_file, configuration
from modelsync.settings.configuration import Configuration
from modelsync.settings.invocation import Invocation

_log = logging.getLogger(__name__)
SECONDS = 2.0
"""Between two looks: a change acts within two of them, of the ten seconds that are promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of the file's last content."""

    problem: str | None = None
    """Why it was refused: the fields and the fixes. None when it acts."""
    restart: tuple[str, ...] = ()
    """Fields with a change that acts after a restart only."""


class Watcher:
    """Looks at the file; see the module."""

    def __init__(
        self,
        started: Invocation,
        running: Configuration,
        *,
        apply: Callable[[Configuration], None],
        report: Callable[[Outcome], None],
        seconds: float = SECONDS,
    ) -> None:
        self._started = started
        self._running = running
        self._apply = apply
        self._report = report
        self._seconds = seconds
        self._seen: bytes | str | None = None
        self._taken: bytes | str | None = None
        """What was found last, and last acted on: the content, or why there is none."""

    async def run(self) -> None:
        """Look forever."""
        while True:
            self.look()
            await asyncio.sleep(self._seconds)

    def look(self) -> None:
        """Look once."""
        found = self._found()
        stays, self._seen = found == self._seen, found
        if stays and found != self._taken:
            self._taken = found
            self._report(self._take(found))

    def _found(self) -> bytes | str:
        try:
            return config_file.content(self._started.config)
        except ConfigError as error:
            return str(error)

    def _take(self, found: bytes | str) -> Outcome:
        try:
            if isinstance(found, str):
                raise ConfigError(found)
            wanted = self._started.over(config_file.parse(found, str(self._started.config)))
        except ConfigError as error:
            _log.error("the configuration is refused, and the one before stays: %s", error)
            return Outcome(problem=str(error))
        live, restart = configuration.changes(self._running, wanted)
        if live:
            self._running = configuration.without_restart(self._running, wanted)
            self._apply(self._running)
            _log.warning("the configuration changed; from now on: %s", ", ".join(live))
        if restart:
            _log.warning("the configuration changed; after a restart of the operator: %s", ", ".join(restart))
        return Outcome(restart=tuple(restart))
