"""Hostile names: refused as text, before any call to the file system."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api.reasons import Reason
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure

REFUSED = [
    "",
    "/",
    "/etc/passwd",
    "//host/share",
    "..",
    "../x",
    "a/../x",
    "a/../../x",
    "a/..",
    ".",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    "\\..\\x",
    "C:\\x",
    "a\0b",
    "a\nb",
    "a\x1b[31mb",
    "a\x7f",
    "a\x85b",
    "a\u202egnp.exe",
    "a\udcff",
    "x" * 256,
    "ü" * 128,
    "/".join(["d" * 200] * 6),
    ".modelsync",
    ".modelsync/manifest.json",
    "a/.modelsync/b",
    ".ModelSync/x",
]
TAKEN = [
    "model.bin",
    "a/b/c.json",
    ".gitattributes",
    "...",
    "..a",
    "a..b",
    "-rf",
    "with blank",
    "$(id)",
    "<b>&\"'",
    "模型.bin",
    "x" * 255,
    ".modelsyncs",
]


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: ascii(path)[:30])
def test_a_hostile_name_is_refused(path: str) -> None:
    with pytest.raises(Failure) as caught:
        names.check(["good", path])
    assert caught.value.reason is Reason.UNSAFE_PATH
    assert caught.value.message.isascii() or "…" in caught.value.message
    assert "spec.ignorePatterns" in caught.value.message


@pytest.mark.parametrize("path", TAKEN, ids=lambda path: ascii(path)[:30])
def test_a_strange_but_harmless_name_is_taken(path: str) -> None:
    names.check([path])


ALIKE = {
    "case": ["a/Model.bin", "a/model.bin"],
    "normalisation": ["caf\u00e9", "cafe\u0301"],
    "three of one form": ["X", "x", "a", "A"],
    "directories": ["A/one", "a/one"],
    "file and directory in another case": ["A/b/c", "a/B"],
}


@pytest.mark.parametrize("paths", ALIKE.values(), ids=ALIKE.keys())
def test_names_that_meet_on_some_volume_are_returned_to_be_tried(paths: list[str]) -> None:
    assert sorted(itertools.chain(*names.check([*paths, "other/file"]))) == sorted(paths)


@pytest.mark.parametrize("paths", [["a", "a/b"], ["a/b/c", "a/b"], ["x/y", "X", "x"]], ids=str)
def test_a_file_that_is_a_directory_too_is_refused_everywhere(paths: list[str]) -> None:
    with pytest.raises(Failure):
        names.check(paths)


def test_directories_may_differ_in_case() -> None:
    assert names.check(["A/one", "a/two"]) == ()


@given(st.text(alphabet=st.sampled_from(["a", ".", "/", "\\", "\0", "é", " "]), max_size=12))
def test_whatever_is_taken_stays_inside(path: str) -> None:
    if names.problem(path) is None:
        parts = path.split("/")
        assert all(parts) and not {".", ".."} & set(parts)
