"""Reports objects that cannot be read as a whole: each version of one counts, and now and then it is logged.

A ModelSync whose spec is concerned says so itself, by its status and an Event (`InvalidSpec`). What follows
from the rest is decided where it is read: what is not known counts as there, and as running.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from modelsync.runtime.cluster.resources import Resource

_log = logging.getLogger(__name__)
_REMEMBERED = 1024
_AGAIN_AFTER = 600.0
_NAMELESS = "an object"


class Oddities:
    """Counts and logs; see the module."""

    def __init__(self, count: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._logged: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def report(self, resource: Resource, found: dict[str, Any] | None) -> None:
        """An object that could not be read as a whole; None when not even its name could."""
        meta = found.get("metadata") if found is not None else None
        meta = meta if isinstance(meta, dict) else {}
        who = "/".join(str(meta[key])[:253] for key in ("namespace", "name") if meta.get(key)) or _NAMELESS
        version, now = str(meta.get("resourceVersion", ""))[:32], self._clock()
        known, logged = self._logged.get((resource.plural, who), (None, float("-inf")))
        if version != known or not version:
            self._count(resource.plural)
        if now - logged >= _AGAIN_AFTER:
            logged = now
            _log.error("%s %s cannot be read as a whole: %s", resource.kind, ascii(who), _WHY)
        self._logged[resource.plural, who] = (version, logged)
        self._logged.move_to_end((resource.plural, who))
        while len(self._logged) > _REMEMBERED:
            self._logged.popitem(last=False)


_WHY = (
    "a part of it is nested too deeply, or is no JSON that this operator knows; it is taken as far as it"
    " goes, and all others are read"
)
