"""Loading large libraries without looking for garbage in between.

Nothing of what a library makes while it loads is garbage, yet the collector looks through all of it again and
again: a tenth of a worker's start. What was loaded is then left out of later looks too.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Import in this block. Blocks may be nested, in one thread."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.freeze()
            gc.enable()
