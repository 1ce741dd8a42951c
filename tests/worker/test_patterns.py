"""Which paths a pattern means: huggingface_hub's own filter decides, and `**/` means no directory too."""

import fnmatch

import hypothesis
import pytest
from huggingface_hub.utils._paths import filter_repo_objects
from hypothesis import strategies as st

from modelsync.api.source.selection import fault_of_pattern
from modelsync.worker.attempt.patterns import matches
from modelsync.worker.attempt.planning import wanted

PATHS = (
    "config.json",
    "onnx/model.onnx",
    "onnx/q4/model.onnx",
    "a/b/c.json",
    "onnx",
    "x/onnx/y",
    "**/z.json",
)
MEANT = {
    "a folder": ("onnx/", {"onnx/model.onnx", "onnx/q4/model.onnx"}),
    "a folder's star": ("onnx/*", {"onnx/model.onnx", "onnx/q4/model.onnx"}),
    "any depth": ("**/*.json", {"config.json", "a/b/c.json", "**/z.json"}),
    "any depth below": ("a/**/c.json", {"a/b/c.json"}),
    "no depth below": ("onnx/**/model.onnx", {"onnx/model.onnx", "onnx/q4/model.onnx"}),
    "twice in a row": ("**/**/*.json", {"config.json", "a/b/c.json", "**/z.json"}),
    "all": ("**", set(PATHS)),
    "stars within a name": ("on**q4*", {"onnx/q4/model.onnx"}),
    "a question mark": ("onn?/model*", {"onnx/model.onnx"}),
    "a set": ("[co]*", {"config.json", "onnx/model.onnx", "onnx/q4/model.onnx", "onnx"}),
}


@pytest.mark.parametrize(("pattern", "meant"), MEANT.values(), ids=MEANT)
def test_a_pattern_means_these_paths(pattern: str, meant: set[str]) -> None:
    assert {path for path in PATHS if matches(path, pattern)} == meant


PART = st.text(alphabet="ab*?[]!./-", min_size=1, max_size=8)


@hypothesis.given(path=st.text(alphabet="ab./-", min_size=1, max_size=12), pattern=PART)
def test_without_a_globstar_it_is_what_huggingface_hub_means(path: str, pattern: str) -> None:
    hypothesis.assume("**/" not in pattern)
    (*theirs,) = filter_repo_objects([path], allow_patterns=[pattern])
    assert matches(path, pattern) is (theirs == [path])


@hypothesis.given(path=st.text(alphabet="ab/", min_size=1, max_size=12), pattern=PART)
def test_a_globstar_only_adds(path: str, pattern: str) -> None:
    if fnmatch.fnmatchcase(path, pattern):
        assert matches(path, pattern)


def test_ignoring_a_folder_leaves_out_all_below() -> None:
    assert [path for path in PATHS if not wanted(path, (), ("onnx/",))] == [
        "onnx/model.onnx",
        "onnx/q4/model.onnx",
    ]


@pytest.mark.parametrize("pattern", ["", "/x", "./x", "../x", "a\x00", "a\n", "x" * 257])
def test_what_the_schema_refuses_is_refused_in_its_words(pattern: str) -> None:
    assert fault_of_pattern(pattern)


@pytest.mark.parametrize("pattern", ["x", "onnx/", "**/*.json", ".git*", "x" * 256, "ä"])
def test_what_the_schema_takes_is_taken(pattern: str) -> None:
    assert fault_of_pattern(pattern) is None
