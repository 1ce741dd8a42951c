"""Which paths a shell pattern means, as huggingface_hub's `allow_patterns` do.

Those are Python's fnmatch over the whole relative path, so `*` matches '/' too, and a pattern that ends in
'/' means all that is below (huggingface_hub `filter_repo_objects`). One thing more, which people write
because git and the shell's globstar have it: `**/` may also stand for no directory at all.
"""

import fnmatch
import functools
import re

_HEAD, _TAIL = fnmatch.translate("x").split("x")
"""What fnmatch puts around an expression, which depends on Python's version."""


def matches(path: str, pattern: str) -> bool:
    """Whether a relative path is meant by a pattern."""
    return _compiled(pattern).match(path) is not None


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    whole = pattern + "*" if pattern.endswith("/") else pattern
    pieces = re.split(r"(?:\A|(?<=/))(?:\*\*/)+", whole)
    bodies = (fnmatch.translate(piece).removeprefix(_HEAD).removesuffix(_TAIL) for piece in pieces)
    return re.compile(_HEAD + "(?:.*/)?".join(bodies) + _TAIL)
