"""Whatever a worker, a Pod, a Job or an Event says: what the operator writes is stored and readable."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api import protocol
from modelsync.api.common import untrusted
from modelsync.api.reasons import Reason
from modelsync.core.cluster import snapshot
from modelsync.reading import rows
from modelsync.runtime.cluster import api_client, job_signatures, parsing
from modelsync.runtime.telemetry import log_setup
from modelsync.runtime.workers import start_diagnosis
from modelsync.worker.attempt import termination
from modelsync.worker.common.failures import Failure
from tests import counts
from tests.runtime import harness, hostile

Object = dict[str, Any]


@given(report=hostile.PROGRESS, later=hostile.PROGRESS)
@settings(max_examples=counts.chosen(short=20, full=60), deadline=None)
def test_any_progress_report_leads_to_a_status_that_is_stored(report: Object, later: Object) -> None:
    world = hostile.World()
    world.pod({}, {"running": {"startedAt": "2026-01-01T00:00:03Z"}}, None)
    for each in (report, later):
        world.report(each)
        assert world.problems() == []
        for status in world.plan().statuses.values():
            row = rows.read({"status": status.dump()}, hostile.NOW)
            assert sum(bar.bytes.done or 0 for bar in row.file_bars) <= (row.bytes.done or 0)
            if row.bytes.total is not None:
                assert sum(bar.bytes.total or 0 for bar in row.file_bars) <= row.bytes.total


@given(
    words=hostile.TERMINATION, status=hostile.POD_STATUS, container=hostile.CONTAINER, job=hostile.JOB_STATUS
)
@settings(max_examples=counts.chosen(short=40, full=100), deadline=None)
def test_any_end_of_a_pod_and_a_job_leads_to_a_status_that_is_stored(
    words: Object, status: Object, container: Object, job: Object
) -> None:
    world = hostile.World()
    world.pod(status, container, words)
    assert world.problems() == []
    world.job(job)
    assert world.problems() == []


@given(status=hostile.POD_STATUS, container=hostile.CONTAINER, events=hostile.EVENT)
@settings(max_examples=counts.chosen(short=20, full=60), deadline=None)
def test_any_pod_that_does_not_start_leads_to_a_status_that_is_stored(
    status: Object, container: Object, events: list[Object]
) -> None:
    world = hostile.World()
    world.pod({"phase": "Pending", **status}, container, None)
    problem = start_diagnosis.newest(events)
    if problem is not None:
        world.store.set_problem("pod-1", problem)
        world.store.set_problem("job-llama-uid-ll-1", problem)
    assert world.problems() == []


def test_counts_of_many_attempts_add_up_to_what_is_stored() -> None:
    world = hostile.World({"progress": {"bytesNetwork": untrusted.MAX_COUNT}})
    world.pod({}, {"running": {"startedAt": "2026-01-01T00:00:03Z"}}, None)
    most = {"bytesNetwork": untrusted.MAX_COUNT, "bytesNetworkBefore": untrusted.MAX_COUNT}
    assert world.report({"progress": most})
    assert world.problems() == []


@pytest.mark.parametrize("text", list(hostile.TEXTS.values()), ids=list(hostile.TEXTS))
def test_a_text_of_others_is_one_printable_line_wherever_it_enters(text: str) -> None:
    pod = harness.versioned(harness.pod(reason=text, message=text), 1)
    pod["metadata"]["annotations"]["modelsync.dev/progress-key"] = text
    record = parsing.pod_record(pod, job_signatures.Proofs())
    sync = harness.versioned(harness.sync(), 1)
    sync["metadata"]["annotations"] = {"modelsync.dev/retry-requested-at": text}
    blame = start_diagnosis.newest([{"reason": "FailedMount", "message": text}])
    assert blame is not None
    report = protocol.TerminationReport(uid="u", attempt=1, reason=Reason.ORIGIN_ERROR, message=text)
    logged = logging.LogRecord("a", logging.INFO, "f", 1, "%s", (text,), None)
    entered = [
        record.status_reason,
        record.status_message,
        record.progress_key,
        parsing.sync_record(sync).retry_requested or "",
        blame.message,
        api_client.ApiError(422, text, text).message,
        str(api_client.ApiError(422, text, text)),
        Failure(Reason.ORIGIN_ERROR, text).message,
        str(Failure(Reason.ORIGIN_ERROR, text)),
        report.message,
        json.loads(termination.fitting(report))["message"],
        log_setup.TextFormatter().format(logged),
        json.loads(log_setup.JsonFormatter().format(logged))["message"],
    ]
    shown = [each for each in entered if not each.isprintable() or set(each) & set(hostile.TEXTS["blanks"])]
    assert shown == []
    assert max(map(len, entered[:7])) <= 2200


@pytest.mark.parametrize("text", list(hostile.TEXTS.values()), ids=list(hostile.TEXTS))
def test_a_traceback_in_the_log_has_no_line_of_others(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    logged = logging.LogRecord("a", logging.ERROR, "f", 1, "failed", (), info)
    for formatter in (log_setup.TextFormatter(), log_setup.LineFormatter("%(message)s")):
        assert all(line.isprintable() for line in formatter.format(logged).split("\n"))


@given(text=st.text(), most=st.integers(1, 30))
def test_cleaning_keeps_printable_text_and_is_done_once(text: str, most: int) -> None:
    cleaned = untrusted.clean(text, most)
    assert len(cleaned) <= most and cleaned.isprintable()
    assert untrusted.clean(cleaned, most) == cleaned
    cleaned.encode()


@pytest.mark.parametrize("text", ["", "org/модель-模型", "naïve café", "a  b", "🤗 e\u0301"])
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert untrusted.clean(text, 100) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", 0),
        (str(untrusted.MAX_COUNT), untrusted.MAX_COUNT),
        (str(untrusted.MAX_COUNT + 1), None),
        ("9" * 5000, None),
        ("-1", None),
        ("1e3", None),
        ("٣", None),
        ("", None),
        (" 1", None),
    ],
)
def test_a_number_of_a_header(text: str, wanted: int | None) -> None:
    assert untrusted.count(text) == wanted


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59Z"]
)
def test_a_time_that_cannot_be_reckoned_with_is_unknown(moment: str) -> None:
    assert parsing.timestamp(moment) is None


def test_a_whole_plan_is_made_of_a_pod_of_nothing_but_hostile_values() -> None:
    world = hostile.World()
    text = "".join(hostile.TEXTS.values())
    world.pod({"reason": text, "message": text}, {}, {"reason": "OriginError", "message": text})
    assert isinstance(world.store.pods["pod-1"], snapshot.PodRecord)
    assert world.problems() == []
