"""Objects out of any text: what stands in one is that one's trouble."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api import naming
from modelsync.runtime.cluster import decoding
from modelsync.runtime.cluster.resources import JOBS, PODS, SYNCS
from tests.runtime import hostile_json as hostile

BARE = {"metadata": {"name": "b"}, "spec": decoding.UNREADABLE, "status": None}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(), PLAIN, max_size=5)


def scanned(raw: bytes, sizes: list[int], unread: decoding.Unread = decoding.NOTHING) -> list[decoding.Text]:
    """The texts of a list that comes in pieces of these sizes, the last one again and again."""
    scanner, texts, at = decoding.listed(unread), list[decoding.Text](), 0
    while at < len(raw):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        texts.extend(scanner.feed(raw[at : at + size]))
        at += size
    assert scanner.frame()["kind"] == "List"
    return texts


def page(*items: str) -> bytes:
    return ('{"kind": "List", "items": [' + ", ".join(items) + '], "metadata": {"continue": ""}}').encode()


@given(st.lists(OBJECTS, max_size=4), st.lists(st.integers(1, 60), min_size=1), st.booleans())
def test_a_list_in_any_pieces_is_its_objects(
    items: list[dict[str, Any]], sizes: list[int], escaped: bool
) -> None:
    texts = scanned(page(*(json.dumps(item, ensure_ascii=escaped) for item in items)), sizes)
    assert [json.loads(text.json) for text in texts] == items
    assert not any(text.cut for text in texts)


@pytest.mark.parametrize("size", [7, 1 << 20])
@pytest.mark.parametrize("text", hostile.DEEP.values(), ids=hostile.DEEP)
def test_what_is_nested_too_deeply_is_cut_off_and_marked_and_its_neighbours_are_read(
    text: str, size: int
) -> None:
    deep = '{"metadata": {"name": "b"}, "spec": {"x": ' + text + ', "y": 2}}'
    first, second, third = scanned(page('{"a": 1}', deep, '{"c": 3}'), [size])
    assert (first.json, third.json) == (b'{"a": 1}', b'{"c": 3}')
    found, whole = decoding.read(second)
    assert not whole
    assert found["metadata"] == {"name": "b"}
    assert found["spec"] == decoding.TOO_DEEP
    assert json.loads(second.json)["spec"]["y"] == 2
    assert decoding.TOO_DEEP in second.json.decode()


@pytest.mark.parametrize("text", (hostile.DEEP | hostile.ODD).values(), ids=hostile.DEEP | hostile.ODD)
def test_managed_fields_and_what_jobs_and_pods_wish_are_passed_over(text: str) -> None:
    raw = f'{{"metadata": {{"managedFields": {text}, "uid": "u"}}, "spec": {{"x": {text}, "n": "node"}}}}'
    if text[0] in "[{":
        for resource in (JOBS, PODS):
            (seen,) = scanned(page(raw), [100], decoding.unread(resource))
            assert decoding.read(seen) == ({"metadata": {"uid": "u"}, "spec": {"x": None, "n": "node"}}, True)
    (seen,) = scanned(page(raw), [100], decoding.unread(SYNCS))
    found, whole = decoding.read(seen)
    assert found["metadata"] == {"uid": "u"}
    assert whole == (text not in hostile.DEEP.values())


@pytest.mark.parametrize("text", hostile.NOT_JSON.values(), ids=hostile.NOT_JSON)
def test_an_object_that_is_no_json_keeps_its_metadata(text: str) -> None:
    raw = '{"metadata": {"name": "b"}, "spec": {"x": ' + text + '}, "status": {"y": 1}}'
    first, second, third = scanned(page('{"a": 1}', raw, '{"c": 3}'), [50])
    assert decoding.read(second) == (BARE, False)
    assert decoding.read(first)[1]
    assert decoding.read(third)[1]


@pytest.mark.parametrize("text", hostile.NOT_JSON.values(), ids=hostile.NOT_JSON)
def test_an_object_whose_metadata_is_no_json_is_a_value_error(text: str) -> None:
    raw = '{"metadata": {"name": ' + text + "}}"
    (seen,) = scanned(page(raw), [50])
    with pytest.raises(ValueError):
        decoding.read(seen)
    with pytest.raises(ValueError):
        decoding.one(raw.encode())


@given(st.binary(max_size=200) | st.text('[]{}",:\\ a1', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_a_value_error(raw: bytes) -> None:
    for read in (decoding.one, decoding.event):
        with contextlib.suppress(ValueError):
            read(raw)
    scanner = decoding.listed()
    for text in scanner.feed(raw):
        with contextlib.suppress(ValueError):
            decoding.read(text)
    with contextlib.suppress(ValueError):
        scanner.frame()


def test_annotations_of_others_are_not_held() -> None:
    ours, others = {naming.RETRY_ANNOTATION: "now"}, {"kubectl.kubernetes.io/last-applied-configuration": "x"}
    (text,) = decoding.listed().feed(page(json.dumps({"metadata": {"annotations": {**ours, **others}}})))
    assert decoding.read(text)[0] == {"metadata": {"annotations": ours}}
