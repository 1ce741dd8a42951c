"""One object in two forms is one object; what differs is looked at again before it counts as another."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.origins.content import Fixed
from dev.origins.files import s3
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Object, Role
from modelsync.api.reasons import Reason
from modelsync.worker.sources.s3 import object_listing, tags
from tests.origins.syncs import Sync

FILES = {"model.bin": b"x" * 150_000, "empty": b""}
FORMS = {
    "no ETag in the listing": ("", "{}"),
    "no quotes in the listing": ("{bare}", "{}"),
    "no quotes in headers": ("{}", "{bare}"),
    "weak in headers": ("{}", 'W/"{bare}"'),
    "weak in the listing": ('W/"{bare}"', "{}"),
    "upper case in the listing": ('"{upper}"', "{}"),
    "upper case in headers": ("{}", '"{upper}"'),
    "parts in the listing": ('"{bare}-3"', "{}"),
    "parts in headers": ("{}", '"{bare}-3"'),
    "another one in the listing": ('"{other}"', "{}"),
    "another one in headers": ("{}", '"{other}"'),
    "none in headers": ("{}", ""),
    "none at all": ("", ""),
}


@pytest.mark.parametrize(("listing", "headers"), FORMS.values(), ids=FORMS)
def test_an_object_whose_etag_has_two_forms_is_synced(tmp_path: Path, listing: str, headers: str) -> None:
    origin = Origin({path: Object(content=Fixed(data), checksum=None) for path, data in FILES.items()})
    origin.s3 = s3.Habits(listed_etag=listing, headed_etag=headers)
    with origin:
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is Reason.SYNCED, end.message
    assert end.published == FILES


@pytest.mark.parametrize(
    "strikes",
    [("head:etag-swap=eachx*",), ("head:etag-swapx*", "head:header=Content-Length:999x*")],
    ids=["another ETag each time", "another ETag and size"],
)
def test_an_object_that_changes_while_it_is_listed_is_noticed(
    tmp_path: Path, strikes: tuple[str, ...]
) -> None:
    origin = Origin({"model.bin": Object(content=Fixed(b"x" * 1000), checksum=None)})
    with origin:
        origin.strike("model.bin", *strikes)
        end = Sync(origin=origin, volume=tmp_path, kind="s3").run()
    assert end.reason is Reason.SOURCE_CHANGED, end.message
    assert not origin.log.entries(role=Role.DATA)


MD5, OTHER = "0a" * 16, "0b" * 16
ISO, HEADER, LATER = (
    "2026-01-01T00:00:00.789Z",
    "Thu, 01 Jan 2026 00:00:00 GMT",
    "Thu, 01 Jan 2026 00:00:07 GMT",
)
LOOKS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "the same": (MD5, {"ETag": f'"{MD5}"'}, False),
    "absent from the listing": ("", {"ETag": f'"{MD5}"', "ContentLength": 7}, False),
    "absent from the listing, another size": ("", {"ETag": f'"{MD5}"', "ContentLength": 8}, True),
    "absent from the headers": (MD5, {"ContentLength": "7"}, False),
    "with parts": (f"{MD5}-2", {"ETag": f'"{MD5}"', "ContentLength": 7}, False),
    "with other parts": (f"{MD5}-2", {"ETag": f'"{MD5}-3"', "ContentLength": 7}, True),
    "another": (OTHER, {"ETag": f'"{MD5}"', "ContentLength": 7}, True),
    "another of the same time": (
        OTHER, {"ETag": f'"{MD5}"', "ContentLength": 7, "LastModified": HEADER}, False,
    ),
    "another of a later time": (
        OTHER, {"ETag": f'"{MD5}"', "ContentLength": 7, "LastModified": LATER}, True,
    ),
    "another of the same time and another size": (
        OTHER, {"ETag": f'"{MD5}"', "ContentLength": 8, "LastModified": HEADER}, True,
    ),
    "case, where it distinguishes two": ("CJi0", {"ETag": '"cJi0"', "ContentLength": 7}, True),
}  # fmt: skip


@pytest.mark.parametrize(("etag", "head", "another"), LOOKS.values(), ids=LOOKS)
def test_a_difference_is_settled_by_size_and_time(etag: str, head: dict[str, Any], another: bool) -> None:
    listed = object_listing.Listed(key="a", size=7, etag=etag, storage_class="STANDARD", modified=ISO)
    assert object_listing.is_another(listed, head) is another


@given(st.from_regex("[!#-.0-~]{0,40}", fullmatch=True), st.sampled_from(["{}", '"{}"', 'W/"{}"', ' "{}" ']))
def test_forms_of_an_etag_are_one_and_forming_it_again_changes_nothing(text: str, form: str) -> None:
    plain = tags.plain(form.format(text))
    assert tags.plain(plain) == plain
    assert tags.agree(plain, plain)
    assert tags.agree("", plain)


@given(st.text(max_size=40))
def test_a_time_is_read_or_left(text: str) -> None:
    tags.moment(text)


@pytest.mark.parametrize("text", [ISO, HEADER, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00"])
def test_the_times_of_listings_and_headers_are_read(text: str) -> None:
    found = tags.moment(text)
    assert found is not None
    assert abs(found - 1767225600) < 1


def test_an_etag_in_two_forms_is_no_checksum() -> None:
    listed = object_listing.Listed(key="a", size=7, etag=f"{MD5}-2", storage_class="STANDARD")
    for etag, expected in ((f"{MD5}-2", ""), (MD5, "")):
        file = object_listing._file(listed, 0, {"ETag": etag, "ContentLength": 7})
        assert "".join(digest.value for digest in file.digests) == expected
    bare = dataclasses.replace(listed, etag="")
    (digest,) = object_listing._file(bare, 0, {"ETag": f'"{MD5.upper()}"', "ContentLength": 7}).digests
    assert (digest.algorithm, digest.value) == ("md5", MD5)
