"""Ways to bring bytes to a volume, timed: `write_modes.py MODE PATH MIB`; ends when the file is synced.

Four threads write 1 MiB blocks to their places in a preallocated file, as the engine does. `buffered` leaves
the page cache to the kernel; `behind` starts the writing of each block at once (sync_file_range) and gives
pages back that are written (posix_fadvise); `direct` passes the page cache by (O_DIRECT).
"""

import ctypes
import mmap
import os
import sys
import threading

BLOCK = 1 << 20
THREADS = 4
BEHIND = 8
"""Blocks that may be on their way to the disk before the oldest is waited for."""
_WAIT_BEFORE, _WRITE, _WAIT_AFTER = 1, 2, 4


class Writer:
    """Writes every THREADS-th block of a file."""

    def __init__(self, mode: str, descriptor: int, blocks: range) -> None:
        self._mode, self._descriptor, self._blocks = mode, descriptor, blocks
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._buffer = mmap.mmap(-1, BLOCK)  # aligned to a page, as O_DIRECT wants it
        self._buffer.write(os.urandom(BLOCK))

    def run(self) -> None:
        """Write all."""
        written: list[int] = []
        for block in self._blocks:
            os.pwrite(self._descriptor, self._buffer, block * BLOCK)
            if self._mode == "behind":
                self._sync(block, _WRITE)
                written.append(block)
                if len(written) > BEHIND // THREADS:
                    self._forget(written.pop(0))

    def _sync(self, block: int, flags: int) -> None:
        start, length = ctypes.c_longlong(block * BLOCK), ctypes.c_longlong(BLOCK)
        if self._libc.sync_file_range(self._descriptor, start, length, ctypes.c_uint(flags)):
            raise OSError(ctypes.get_errno(), "sync_file_range")

    def _forget(self, block: int) -> None:
        self._sync(block, _WAIT_BEFORE | _WRITE | _WAIT_AFTER)
        os.posix_fadvise(self._descriptor, block * BLOCK, BLOCK, os.POSIX_FADV_DONTNEED)


def main() -> int:
    """Write one file; errors end with a traceback."""
    mode, path, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    flags = os.O_RDWR | os.O_CREAT | (os.O_DIRECT if mode == "direct" else 0)
    descriptor = os.open(path, flags, 0o600)
    os.posix_fallocate(descriptor, 0, size * BLOCK)
    writers = [Writer(mode, descriptor, range(number, size, THREADS)) for number in range(THREADS)]
    threads = [threading.Thread(target=writer.run) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.fsync(descriptor)
    os.close(descriptor)
    return 0


if __name__ == "__main__":
    sys.exit(main())
