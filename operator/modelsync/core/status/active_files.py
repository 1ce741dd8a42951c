"""The files that a worker fetches now, as a status may hold them: few, short, and within the whole.

A report is taken at one moment and read at several, and it may be a are: what its files have beyond the
bytes of the whole is left out, so that no sum of bars exceeds the bar above them.
"""

from collections.abc import Sequence

from modelsync.api import modelsync_status as api
from modelsync.api.protocol import FileProgress

_CUT = "…"


def shown(files: Sequence[FileProgress], whole: api.ProgressStatus) -> tuple[api.FileStatus, ...] | None:
    """The first files of a report on progress that has come so far; None for none."""
    done_left = whole.bytes_done or 0
    total_left = None if whole.estimated else whole.bytes_total
    found = []
    for file in files[: api.MAX_ACTIVE_FILES]:
        total = file.bytes_total
        if total is not None and total_left is not None:
            total = total if total <= total_left else None
            total_left -= total or 0
        done = min(file.bytes_done, done_left, file.bytes_done if total is None else total)
        done_left -= done
        found.append(api.FileStatus(path=_short(file.path), bytes_done=done, bytes_total=total))
    return tuple(found) or None


def _short(path: str) -> str:
    """The end of a long path, which is what differs between files of one directory."""
    return path if len(path) <= api.MAX_PATH else _CUT + path[1 - api.MAX_PATH :]
