"""How long a work request may become: the largest specs against the bound of annotations, by arithmetic.

That the API server accepts those and their Jobs, and nothing larger, is proven in test_crd_on_cluster.py.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync import errors
from modelsync.api.common import size_limits
from modelsync.api.source import sources
from modelsync.core.jobs import job_manifest
from modelsync.settings import parsers
from tests.api.specs import extremes
from tests.settings import documents


def annotations(manifest: job_manifest.Manifest) -> int:
    """The bytes that the API server counts."""
    found: dict[str, str] = manifest["spec"]["template"]["metadata"]["annotations"]
    return sum(len(name.encode()) + len(value.encode()) for name, value in found.items())


@pytest.mark.parametrize("spec", extremes.LARGEST.values(), ids=extremes.LARGEST)
def test_the_largest_spec_leaves_room_for_what_a_cluster_adds(spec: dict[str, Any]) -> None:
    assert annotations(extremes.rendered(spec)) <= size_limits.MOST_ANNOTATIONS - size_limits.LEFT_TO_OTHERS


def test_the_largest_lists_of_files_are_as_large_as_the_rule_allows() -> None:
    sizes = [extremes.text(spec["source"]) for spec in extremes.LARGEST.values() if "http" in spec["source"]]
    assert len(sizes) == 5 and set(sizes) == {size_limits.MOST_FILES_TEXT}


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60)


@settings(deadline=None)
@given(st.lists(st.tuples(names, names), min_size=1, max_size=30))
def test_the_rule_counts_what_a_request_takes(pairs: list[tuple[str, str]]) -> None:
    files = tuple(sources.HttpFile(url=url, path=path) for url, path in pairs)
    counted = extremes.text({"http": {"files": [file.dump() for file in files]}})
    around = len('{"url":"","path":""},') * len(files) + len('{"files":[]}') - 1
    assert len(sources.HttpSource(files=files).dump_json().encode()) == counted + around


def test_settings_that_travel_with_every_request_are_bounded_too() -> None:
    with pytest.raises(ValueError, match="4096 characters"):
        parsers.blocks(",".join(["10.0.0.0/24"] * 400))
    with pytest.raises(errors.ConfigError, match="16384 bytes"):
        documents.configured({"presets": {"large": {"allowPatterns": ["x" * 256] * 64}}})
