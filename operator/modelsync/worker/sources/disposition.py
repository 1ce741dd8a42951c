"""The name that an answer gives its file (Content-Disposition, RFC 6266), where it is safe.

The name is the server's, and becomes one on a disk: only its last part counts, and one that could leave the
directory, hide in it or show as another is none.
"""

from email.message import Message
from email.utils import collapse_rfc2231_value

from modelsync.worker.common import names


def name_of(header: str | None) -> str | None:
    """The file's name in a header; None when it has none that is safe."""
    if not header:
        return None
    message = Message()
    try:
        message["Content-Disposition"] = _text(header)
        found = [value for name, value in message.get_params([], "Content-Disposition") if name == "filename"]
        # Where both are there, `filename*` with its character set (a tuple here) is the better one.
        chosen = max(found, key=lambda value: isinstance(value, tuple), default="")
        text = collapse_rfc2231_value(chosen)
    except (ValueError, LookupError):
        return None
    name = text.replace("\\", "/").rpartition("/")[2].strip()
    return None if name.startswith(".") or names.problem(name) else name


def _text(header: str) -> str:
    """The header's characters: RFC 9110 allows Latin-1, and servers write UTF-8 into it."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header
