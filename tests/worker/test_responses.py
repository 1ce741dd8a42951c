"""Heads of answers that are believed, tried again, or taken for a change of the source."""

import pytest

from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.retry import Transient
from modelsync.worker.http import range_response


def asked(
    path: str = "model.bin", *, size: int | None = 100, validator: str | None = None
) -> range_response.Asked:
    return range_response.Asked(path=path, start=0, end=size, ranged=False, size=size, validator=validator)


PAGE = {"Content-Type": "text/html; charset=utf-8", "Content-Length": "83"}


def test_a_page_of_another_size_is_no_change_of_the_source_but_somebody_in_between() -> None:
    with pytest.raises(Transient, match="HTML page") as caught:
        range_response.read(200, PAGE, asked())
    assert caught.value.failure.reason is Reason.ORIGIN_ERROR


@pytest.mark.parametrize(
    ("path", "headers", "size"),
    [
        ("index.html", {"Content-Type": "text/html"}, 100),
        ("notes", {"Content-Type": "text/html", "Content-Length": "100"}, 100),
        ("notes", PAGE, None),
    ],
    ids=["a file that is a page, in chunks", "of the right size", "of unknown size"],
)
def test_a_file_that_is_a_page_is_taken(path: str, headers: dict[str, str], size: int | None) -> None:
    assert range_response.read(200, headers, asked(path, size=size)).start == 0


def test_an_answer_that_lost_its_tag_is_tried_again() -> None:
    with pytest.raises(Transient, match="without the ETag"):
        range_response.read(200, {"Content-Length": "100"}, asked(validator="etag:one"))


def test_a_403_that_asks_for_patience_is_a_rate_limit_and_another_is_not() -> None:
    with pytest.raises(Transient) as caught:
        range_response.read(403, {"Retry-After": "7"}, asked())
    assert (caught.value.failure.reason, caught.value.wait_seconds) == (Reason.RATE_LIMITED, 7)
    with pytest.raises(range_response.Renew) as denied:
        range_response.read(403, {}, asked())
    assert isinstance(denied.value.failure, Failure)
    assert denied.value.failure.reason is Reason.ACCESS_DENIED


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}], ids=["length", "chunks"]
)
def test_a_body_whose_end_is_stated_is_taken(headers: dict[str, str]) -> None:
    range_response.check_end(headers, asked(size=None))


def test_a_body_without_an_end_is_not_taken_for_a_file() -> None:
    with pytest.raises(Transient, match="sha256"):
        range_response.check_end({}, asked(size=None))
