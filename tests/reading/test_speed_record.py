"""Whose speeds they were, and what a record says of its own beginning."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from modelsync.reading.history import CutReason, Keeper
from modelsync.reading.speed_record import Flow, Question, SpeedRecord
from tests.builders import NOW, ago

LONG_AGO = ago(90_000)


def flow(
    namespace: str, uid: str, speed: float | None = None, *, queue: str = "default", sent: float | None = None
) -> Flow:
    return Flow(namespace=namespace, uid=uid, queue=queue, bytes_per_second=speed, sent_per_second=sent)


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def recorded(
    *samples: Iterable[Flow], began: datetime = LONG_AGO, keeper: Keeper = Keeper.OPERATOR
) -> SpeedRecord:
    """A record with one sample each five seconds from NOW on."""
    record = SpeedRecord(began, keeper)
    for number, flows in enumerate(samples):
        record.sample(at(5 * number), list(flows))
    return record


def last(record: SpeedRecord, second: float, steps: int, **question: object) -> tuple[int | None, ...]:
    """The last figures at a time."""
    asked = Question.model_validate({"span": "5m", **question})
    return record.answer(asked, at(second)).down[-steps:]


TWO = [flow("a", "1", 10), flow("a", "2", 20, queue="gpu"), flow("b", "3", 400, queue="gpu"), flow("c", "4")]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        pytest.param({}, 430, id="all of the cluster"),
        pytest.param({"namespaces": ("a",)}, 30, id="one namespace"),
        pytest.param({"namespaces": ("a", "b", "a")}, 430, id="two, one of them named twice"),
        pytest.param({"namespaces": ("c",)}, 0, id="where nothing runs"),
        pytest.param({"namespaces": ()}, None, id="none at all"),
        pytest.param({"namespaces": ("of-nobody",)}, None, id="one that has no ModelSync"),
        pytest.param({"queue": "gpu"}, 420, id="a queue, of all"),
        pytest.param({"queue": "gpu", "namespaces": ("a",)}, 20, id="a queue, of one namespace"),
        pytest.param({"queue": "idle", "namespaces": ("a",)}, 0, id="a queue that is idle"),
        pytest.param({"sync": "1", "namespaces": ("a",)}, 10, id="a ModelSync"),
        pytest.param({"sync": "1", "namespaces": ("b",)}, None, id="another namespace's ModelSync"),
        pytest.param({"sync": "4", "namespaces": ("c",)}, None, id="a ModelSync that does not download"),
    ],
)
def test_an_answer_holds_what_is_in_the_namespaces_that_were_named(
    question: dict[str, object], wanted: int | None
) -> None:
    assert last(recorded(TWO), 1, 1, **question) == (wanted,)


SENDING = [flow("a", "1", 10, sent=1), flow("a", "2", 20, sent=2), flow("b", "3", 9, sent=40), flow("c", "4")]


@pytest.mark.parametrize(
    ("flows", "question", "wanted"),
    [
        pytest.param(SENDING, {}, (43,), id="all of the cluster"),
        pytest.param(SENDING, {"namespaces": ("a",)}, (3,), id="one namespace"),
        pytest.param(SENDING, {"namespaces": ("a", "b", "a")}, (43,), id="two, one of them named twice"),
        pytest.param(SENDING, {"namespaces": ("c",)}, (0,), id="where nothing runs"),
        pytest.param(SENDING, {"namespaces": ("of-nobody",)}, (None,), id="one that has no ModelSync"),
        pytest.param(SENDING, {"queue": "default"}, (), id="a queue"),
        pytest.param(SENDING, {"queue": "default", "namespaces": ("a",)}, (), id="a queue, of one namespace"),
        pytest.param(SENDING, {"sync": "1", "namespaces": ("a",)}, (), id="a ModelSync"),
        pytest.param(TWO, {}, (None,), id="workers that do not say it"),
        pytest.param(TWO, {"namespaces": ("a",)}, (None,), id="those of a namespace"),
        pytest.param([*TWO, *SENDING[2:]], {}, (40,), id="workers of which one says it"),
        pytest.param([flow("a", "1", sent=5)], {}, (0,), id="what was sent before it stood still"),
    ],
)
def test_bytes_sent_are_those_of_the_namespaces_that_were_named(
    flows: list[Flow], question: dict[str, object], wanted: tuple[int | None, ...]
) -> None:
    asked = Question.model_validate({"span": "5m", **question})
    assert recorded(flows).answer(asked, at(1)).up[-1:] == wanted


def test_bytes_sent_end_with_their_namespace() -> None:
    assert not {"sent/a", "sent/b"} & set(recorded(SENDING, []).history.keys())


@pytest.mark.parametrize(
    "question",
    [
        {"span": "1w"},
        {"span": "5m", "queue": "a/gpu"},
        {"span": "5m", "sync": "b/3", "namespaces": ["a"]},
        {"span": "5m", "sync": "1"},
        {"span": "5m", "sync": "1", "namespaces": ["a", "b"]},
        {"span": "5m", "sync": "1", "namespaces": ["a"], "queue": "gpu"},
    ],
)
def test_a_question_that_is_none_is_refused(question: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"span|sync|queue"):
        recorded(TWO).answer(Question.model_validate(question), NOW)


def test_who_is_created_again_under_its_name_begins_a_record_of_its_own() -> None:
    record = recorded([flow("a", "first", 10)], [flow("a", "second", 70)])
    assert last(record, 6, 2, sync="first", namespaces=["a"]) == (None, None)
    assert last(record, 6, 2, sync="second", namespaces=["a"]) == (None, 70)
    assert last(record, 6, 2, namespaces=["a"]) == (10, 70)


def test_a_namespaces_record_ends_with_its_last_modelsync() -> None:
    of_b = flow("b", "3", 400)
    record = recorded([flow("a", "1", 10), of_b], [of_b], [flow("a", "other", 7), of_b])
    assert last(record, 11, 3, namespaces=["a"]) == (None, None, 7)
    assert last(record, 11, 3, namespaces=["a"], queue="default") == (None, None, 7)
    assert last(record, 11, 3) == (410, 400, 407)


def test_a_sync_that_changes_its_queue_counts_where_it_was() -> None:
    record = recorded([flow("a", "1", 10, queue="x")], [flow("a", "1", 30, queue="y")])
    assert last(record, 6, 2, queue="x") == (10, 0)
    assert last(record, 6, 2, queue="y", namespaces=["a"]) == (0, 30)
    assert last(record, 6, 2, sync="1", namespaces=["a"]) == (10, 30)


def test_a_sum_that_stops_is_averaged_over_its_whole_minute() -> None:
    on, off = [flow("a", "1", 120)], [flow("a", "1")]
    record = recorded(*[on] * 6, *[off] * 6)
    for question in ({}, {"namespaces": ("a",)}, {"queue": "default"}):
        asked = Question.model_validate({"span": "24h", **question})
        assert record.answer(asked, at(59)).down[-1] == 60


def test_a_sample_that_comes_too_early_is_left_out() -> None:
    record = recorded([flow("a", "1", 10)])
    record.sample(at(4), [flow("a", "1", 1_000)])
    assert last(record, 4, 1) == (10,)


@pytest.mark.parametrize("keeper", list(Keeper))
def test_a_record_says_who_keeps_it_and_since_when(keeper: Keeper) -> None:
    old = recorded(keeper=keeper).answer(Question(span="24h"), NOW)
    assert (old.kept_by, old.since, old.cut, old.cut_reason) == (keeper, ago(90_000), None, None)
    young = recorded(began=ago(60), keeper=keeper).answer(Question(span="5m"), NOW)
    wanted = CutReason.OPERATOR_STARTED if keeper is Keeper.OPERATOR else CutReason.PAGE_OPENED
    assert (young.since, young.cut, young.cut_reason) == (ago(60), ago(60), wanted)


@pytest.mark.parametrize(
    ("jump", "wanted"),
    [
        pytest.param(-30, (10, None), id="back by little: the old figure stays"),
        pytest.param(-3_600, (20, CutReason.CLOCK_SET_BACK), id="back by an hour: begun again"),
        pytest.param(3_600, (20, None), id="on by an hour: a gap"),
        pytest.param(1e9, (20, None), id="on by decades"),
    ],
)
def test_a_clock_that_jumps(jump: float, wanted: tuple[int, CutReason | None]) -> None:
    record = recorded([flow("a", "1", 10)])
    record.sample(at(jump), [flow("a", "1", 20)])
    found = record.answer(Question(span="1h"), at(max(jump, 0) if jump > -60 else jump))
    assert (found.down[-1], found.cut_reason) == wanted


def test_sums_are_those_of_their_parts_whatever_comes() -> None:
    chance = random.Random(7)
    record, uids = SpeedRecord(ago(90_000), Keeper.OPERATOR), [f"{n}" for n in range(12)]
    for number in range(40):
        flows = [
            flow(uid[-1], uid, chance.choice([None, chance.randrange(1, 10**6)]), queue=chance.choice("xy"))
            for uid in uids
            if uid == "0" or chance.random() < 0.9
        ]
        record.sample(at(5 * number), flows)
        by_hand = sum(int(each.bytes_per_second or 0) for each in flows)
        here = sorted({each.namespace for each in flows})
        assert last(record, 5 * number, 1) == (by_hand,)
        assert last(record, 5 * number, 1, namespaces=here) == (by_hand,)
        by_queue = [last(record, 5 * number, 1, queue=queue, namespaces=here)[0] or 0 for queue in "xy"]
        assert sum(by_queue) == by_hand
