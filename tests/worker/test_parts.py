"""A file on its way: which descriptor its bytes go through."""

import errno
import mmap
import os
from pathlib import Path

import pytest

from modelsync.worker.common.open_files import Handle
from modelsync.worker.engines.native import staged_file
from modelsync.worker.engines.native.file_ranges import Copy
from modelsync.worker.engines.native.staged_file import PAGE

GENUINE = os.pwrite


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT)


def test_a_descriptor_is_not_another_file_s_while_a_write_goes_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection is about to write past the page cache when another one finds that this does not work
    here, and the next staging file is opened: its descriptor must not be the one about to be written."""
    copy = Copy(0, Handle(opened(tmp_path / "model")), 2 * PAGE, None)
    copy.direct = Handle(opened(tmp_path / "model"))
    number = copy.direct.descriptor
    later: list[Handle] = []

    def meanwhile(descriptor: int, data: memoryview, position: int) -> int:
        if descriptor == number and position == PAGE:
            raise OSError(errno.EINVAL, "no O_DIRECT here")
        if descriptor == number and not later:
            staged_file.written(copy, memoryview(mmap.mmap(-1, PAGE)), PAGE)
            later.append(Handle(opened(tmp_path / "next")))
        return GENUINE(descriptor, data, position)

    monkeypatch.setattr(os, "pwrite", meanwhile)
    block = mmap.mmap(-1, PAGE)
    block[:] = b"x" * PAGE
    assert staged_file.written(copy, memoryview(block), 0) == PAGE
    assert later and (tmp_path / "next").read_bytes() == b""
    assert (tmp_path / "model").read_bytes() == b"x" * PAGE + bytes(PAGE)
    assert copy.direct is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
