"""Which file names of a source may reach the volume.

A source's names are hostile input: a repository's owner chooses them, and they become paths on a user's
volume. They are checked here as text, before any call to the file system; `safe_directory` then walks without
following links. What is refused is refused as a whole: leaving out a file would publish another model than
the source's.
"""

import unicodedata
from collections.abc import Iterable

from modelsync.api import naming
from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure

MAX_PATH_BYTES = 1024
"""S3's longest key, and below any file system's PATH_MAX."""
MAX_COMPONENT_BYTES = 255
"""NAME_MAX of Linux' file systems."""
_FIX = "Leave the file out with spec.ignorePatterns, or rename it in the source."


def printable(text: str, limit: int = 200) -> str:
    """A hostile name for messages: escaped, and cut to `limit` characters."""
    safe = text.encode("unicode_escape").decode("ascii")
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def problem(path: str) -> str | None:
    """What is wrong with one relative path, or None."""
    try:
        encoded = path.encode("utf-8")
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if not path or path.startswith("/"):
        return "is not a relative path"
    if len(encoded) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    if "\\" in path:
        return "contains a backslash"
    if any(unicodedata.category(character) in ("Cc", "Cs") or _turns(character) for character in path):
        return "contains a control character"
    return next(filter(None, map(_component_problem, path.split("/"))), None)


def _turns(character: str) -> bool:
    """Whether a character changes the direction of text: such a name shows other than it is."""
    return character in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _component_problem(component: str) -> str | None:
    if component in ("", ".", ".."):
        return "contains an empty, '.' or '..' component"
    if len(component.encode()) > MAX_COMPONENT_BYTES:
        return f"has a component longer than {MAX_COMPONENT_BYTES} bytes"
    if folded(component) == naming.STATE_DIR:
        return f"uses {naming.STATE_DIR}, which is modelsync's own directory"
    return None


def folded(path: str) -> str:
    """The form in which two names meet on a volume that ignores case or normalises Unicode."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def check(paths: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Refuse names that leave the target, hide, or clash everywhere; raises Failure with UnsafePath.

    Returns groups of names that differ in case or normalisation only, in the order given: many volumes keep
    them apart, and `name_folding` tries whether this one does.
    """
    files: dict[str, str] = {}
    alike: dict[str, list[str]] = {}
    directories: set[str] = set()
    below: dict[str, str] = {}
    """A path below each directory, by the directory's folded form."""
    for path in paths:
        found = problem(path)
        if found:
            raise _unsafe(f'"{printable(path)}" {found}')
        first = files.setdefault(folded(path), path)
        if first != path:
            alike.setdefault(first, [first]).append(path)
        directory = path
        while (directory := directory.rpartition("/")[0]) and directory not in directories:
            directories.add(directory)
            below.setdefault(folded(directory), path)
    for form in files.keys() & below.keys():
        same = alike.get(files[form], [files[form]])
        for path in directories.intersection(same):
            raise _unsafe(f'"{printable(path)}" is a file and the directory of another file')
        alike[files[form]] = [*same, below[form]]
    return tuple(map(tuple, alike.values()))


def _unsafe(what: str) -> Failure:
    return Failure(Reason.UNSAFE_PATH, f"The source's file {what}. {_FIX}")
