"""Each failure of a request is one sentence that says what to do."""

import json

import pytest

from modelsync.kubectl import problems


def _status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


_ANSWERS: dict[str, tuple[int, bytes, str]] = {
    "expired credentials": (
        401,
        _status("Unauthorized"),
        "the API server does not accept your credentials: log",
    ),
    "no right": (403, _status("User x cannot list"), "you have no right to that: User x cannot list"),
    "no object": (404, _status("not found"), "modelsync a/b not found"),
    "refused": (
        422,
        _status("spec.target: cannot change"),
        "refuses modelsync a/b: spec.target",
    ),
    "a proxy's page": (502, b"<html>Bad\nGateway", "answered 502 for modelsync a/b: <html>Bad Gateway"),
    "nothing": (500, b"", "answered 500 for modelsync a/b: without a reason"),
    "JSON of another shape": (500, b"[1]", "answered 500 for modelsync a/b: [1]"),
}


@pytest.mark.parametrize("case", _ANSWERS)
def test_an_answer_is_a_sentence(case: str) -> None:
    status, body, words = _ANSWERS[case]
    problem = problems.of_answer(status, body, "modelsync a/b")
    assert words in str(problem) and "\n" not in str(problem)
    assert problem.status == status


def test_a_cluster_of_another_version_is_named() -> None:
    assert "serves modelsync.dev/v1 and this plugin speaks" in str(problems.no_definitions(("v1",)))
    assert "has no ModelSyncs" in str(problems.no_definitions(()))
