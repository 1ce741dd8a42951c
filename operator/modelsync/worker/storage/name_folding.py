"""Whether a volume keeps names apart that differ in case or Unicode form only: tried, not guessed.

Whole file systems, mounts and single directories (ext4's casefold) ignore one or the other, each by rules of
its own. So the very names are made in a directory of modelsync's, which has the target's ways.
"""

import os
from collections.abc import Callable, Iterable

from modelsync.api.reasons import Reason
from modelsync.worker.common import names, open_files, volume_errors
from modelsync.worker.common.failures import Failure
from modelsync.worker.storage.safe_directory import Tree

_PROBE = "apart"


def check(directory: Tree, alike: Iterable[tuple[str, ...]], advance: Callable[[], None]) -> None:
    """Refuse groups of paths that meet here; raises Failure with UnsafePath."""
    with volume_errors.guarded("trying names that differ in case only"):
        directory.remove(_PROBE)  # of a worker that was killed just here
        for group in alike:
            with directory.below(_PROBE) as probe:
                met = next((path for path in group if not _made(probe, path)), None)
            directory.remove(_PROBE)
            if met is not None:
                raise _meeting(group, met)
            advance()


def _made(probe: Tree, path: str) -> bool:
    """Make a file; False where one that was made before is in its way."""
    try:
        with probe.parent(path, create=True) as (directory, name):
            os.close(open_files.new(directory, name))
    except (FileExistsError, IsADirectoryError, NotADirectoryError):
        return False
    return True


def _meeting(group: tuple[str, ...], met: str) -> Failure:
    one = next(path for path in group if path != met)
    text = (
        f'The files "{names.printable(one)}" and "{names.printable(met)}" differ in case or form only, and'
        " this volume does not distinguish them. Leave one of them out with spec.ignorePatterns, or use a"
        " volume that does."
    )
    return Failure(Reason.UNSAFE_PATH, text)
