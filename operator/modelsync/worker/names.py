"""Which file names of a source may reach the volume.

A source's names are hostile input: a repository's owner chooses them, and they become paths on a user's
volume. They are checked here as text, before any call to the file system; `tree` then walks without following
links. What is refused is refused as a whole: leaving out a file would publish another model than the
source's.
"""

import unicodedata
from collections.abc import Iterable

from modelsync.api import naming
from modelsync.api.reasons import Reason
from modelsync.worker.failures import Failure

MAX_PATH_BYTES = 1024
"""S3's longest key, and below any file system's PATH_MAX."""
MAX_COMPONENT_BYTES = 255
"""NAME_MAX of Linux' file systems."""
_MEND = "Leave the file out with spec.ignorePatterns, or rename it in the source."


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


def check(paths: Iterable[str]) -> None:
    """Refuse names that leave the target, hide, or clash; raises Failure with UnsafePath.

    Names that differ in case or normalisation only are refused on every volume: whether a volume keeps
    them apart is seen too late, and a model with such twins cannot be copied to another machine.
    """
    files: dict[str, str] = {}
    directories: dict[str, str] = {}
    for path in paths:
        found = problem(path)
        if found:
            raise _unsafe(f'"{printable(path)}" {found}')
        form = folded(path)
        if form in files:
            raise _unsafe(f'"{printable(files[form])}" and "{printable(path)}" differ in case or form only')
        files[form] = path
        while (form := form.rpartition("/")[0]) and form not in directories:
            directories[form] = path
    for form in files.keys() & directories.keys():
        raise _unsafe(f'"{printable(files[form])}" is a file and the directory of another file')


def _unsafe(what: str) -> Failure:
    return Failure(Reason.UNSAFE_PATH, f"The source's file {what}. {_MEND}")
