"""Another pod on the volume that swaps a directory for a link, as fast as it can.

    python -m tests.faults.swapper DIRECTORY LINK COUNT

Exchanges the two names with one atomic call (renameat2), so that there is never an instant without either.
"""

import ctypes
import os
import sys
import time

_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""
_HERE = -100
"""AT_FDCWD of openat(2)."""
_PAUSE_SECONDS = 20e-6
"""About what one call of the other side takes: a faster swapper lets it begin fewer moves."""


def main() -> int:
    """Swap so many times; after an even number all is as it was."""
    first, second, count = sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3])
    swap = ctypes.CDLL(None, use_errno=True).renameat2
    for _ in range(count):
        if swap(_HERE, first, _HERE, second, _EXCHANGE):
            number = ctypes.get_errno()
            print(os.strerror(number), file=sys.stderr)
            return 1
        time.sleep(_PAUSE_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
