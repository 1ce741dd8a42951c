"""Quantities, names, exit codes, conditions and wire documents: small tables."""

import re
from datetime import timedelta
from typing import Any

import pydantic
import pytest
from huggingface_hub.file_download import repo_folder_name
from hypothesis import given
from hypothesis import strategies as st

from modelsync.api import conditions, exitcodes, naming, protocol
from modelsync.api import modelsync as api
from modelsync.api.common import base, quantity
from modelsync.api.conditions import Condition
from modelsync.api.modelsync_status import ModelSyncStatus, ProgressStatus
from modelsync.api.reasons import ConditionType, Reason, SourceKind, Stage
from modelsync.api.source import sources, transfer
from tests.builders import NOW, a_progress, a_source, a_spec


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("0", 0),
        ("500M", 500_000_000),
        ("1Gi", 2**30),
        ("1.5Gi", 3 * 2**29),
        (".5k", 500),
        ("2e9", 2 * 10**9),
        ("1E", 10**18),
        ("100m", 1),
        ("1n", 1),
        ("+7", 7),
        ("5.", 5),
        ("9E", 9 * 10**18),
        ("99Ei", 2**63 - 1),
        ("1e999999999", 2**63 - 1),
        ("1e-999999999", 0),
        ("-1e999999999", 1 - 2**63),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(text: str, want: int) -> None:
    assert quantity.parse_bytes(text) == want


@pytest.mark.parametrize("text", ["", "M", "1 G", "1GB", "1KB", "1gi", "one", "1e", "--1", "1M\n", "٣"])
def test_what_is_no_quantity_is_refused_with_the_fix(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 500M"):
        quantity.parse_bytes(text)


_LABEL = "[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?"
NAMES = st.from_regex(rf"{_LABEL}(\.{_LABEL}){{0,3}}", fullmatch=True).filter(lambda name: len(name) <= 253)
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
UIDS = st.uuids().map(str)


@given(NAMES, UIDS, st.integers(1, 10**6))
def test_a_jobs_name_is_a_dns_label_with_room_for_its_pods(name: str, uid: str, attempt: int) -> None:
    job = naming.job_name(name, uid, attempt)
    assert DNS_LABEL.match(job)
    assert len(job) <= 57, "a Pod's name adds six characters"
    assert job.endswith(f"-{uid[:6]}-{attempt}")


@given(NAMES)
def test_a_label_value_is_one_that_kubernetes_accepts(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", naming.label_value(name))


@pytest.mark.parametrize("reason", exitcodes.BY_REASON, ids=str)
def test_an_exit_code_says_its_reason_and_whether_to_try_again(reason: Reason) -> None:
    code = exitcodes.BY_REASON[reason]
    assert exitcodes.reason_for(code) is reason
    tens = {1: False, 2: False, 3: reason is Reason.SOURCE_CHANGED, 5: True, 14: True}
    assert exitcodes.is_retryable(code) == tens[code // 10]


def test_no_two_reasons_share_an_exit_code() -> None:
    assert len(exitcodes.BY_CODE) == len(exitcodes.BY_REASON)


@pytest.mark.parametrize("code", [1, 2, 137, 139, 255])
def test_codes_of_others_are_trouble_worth_another_try(code: int) -> None:
    assert exitcodes.reason_for(code) is Reason.INTERNAL_ERROR
    assert exitcodes.is_retryable(code)


def a_condition(status: str, **fields: Any) -> Condition:
    return Condition(
        **{"type": "Ready", "status": status, "reason": "Queued", "last_transition_time": NOW, **fields}
    )


def test_a_transition_time_changes_with_the_status_alone() -> None:
    later = NOW + timedelta(seconds=9)
    before = (a_condition("False"),)
    same = a_condition("False", reason="Downloading", last_transition_time=later)
    turned = a_condition("True", last_transition_time=later)
    assert conditions.keep_times([same], before)[0].last_transition_time == NOW
    assert conditions.keep_times([same], before)[0].reason == "Downloading"
    assert conditions.keep_times([turned], before)[0].last_transition_time == later
    assert conditions.keep_times([turned], ())[0].last_transition_time == later


def test_conditions_are_found_by_type() -> None:
    found = (a_condition("True"),)
    assert conditions.find(found, ConditionType.READY) is found[0]
    assert conditions.find(found, ConditionType.STALLED) is None


def test_what_is_unknown_is_absent_on_the_wire() -> None:
    status = ModelSyncStatus(attempts=0, progress=ProgressStatus(bytes_done=0))
    assert status.dump() == {"attempts": 0, "progress": {"bytesDone": 0}, "artifacts": [], "conditions": []}


def test_unknown_fields_are_ignored_so_that_an_older_program_lives_with_a_newer_crd() -> None:
    assert ModelSyncStatus.model_validate({"new": 1, "attempts": 2}).attempts == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"progress": {"bytesDone": -1}}, "bytesDone"),
        ({"progress": {"bytesDone": 2**63}}, "bytesDone"),
        ({"resolved": {"files": 10**30}}, "files"),
        ({"resolved": {"bytes": -1}}, "bytes"),
        ({"stage": "Dancing"}, "stage"),
        ({"idleSeconds": float("nan")}, "idleSeconds"),
        ({"idleSeconds": float("inf")}, "idleSeconds"),
        ({"devices": [{"device": "e\n", "receiveBytes": 0, "transmitBytes": 0}]}, "device"),
        ({"files": [{"path": "x", "bytesDone": 0}] * 21}, "files"),
    ],
)
def test_a_report_out_of_bounds_is_refused(change: dict[str, Any], field: str) -> None:
    report = {"uid": "u", "attempt": 1, "stage": "Downloading", **change}
    with pytest.raises(pydantic.ValidationError, match=field):
        protocol.ProgressReport.model_validate(report)


@pytest.mark.parametrize(
    "document",
    [
        protocol.WorkRequest(uid="u", namespace="n", name="m", attempt=1, source=a_source()),
        protocol.ProgressReport(uid="u", attempt=1, stage=Stage.RESOLVING, progress=a_progress(7)),
        protocol.TerminationReport(uid="u", attempt=1, reason=Reason.SYNCED, progress=a_progress(7)),
        protocol.LimitRequest(bytes_per_second=5),
    ],
    ids=lambda document: type(document).__name__,
)
def test_wire_documents_read_back_as_they_were(document: base.Value) -> None:
    text = document.dump_json()
    assert type(document).model_validate_json(text, strict=True) == document


@pytest.mark.parametrize(
    ("source", "kind", "summary"),
    [
        (a_source(), SourceKind.HUGGING_FACE, "hf://org/model@main"),
        (
            sources.Source(
                hugging_face=sources.HuggingFaceSource(repository="org/data", repository_type="Dataset")
            ),
            SourceKind.HUGGING_FACE,
            "hf://datasets/org/data@main",
        ),
        (
            sources.Source(s3=sources.S3Source(bucket="bucket", prefix="a/")),
            SourceKind.S3,
            "s3://bucket/a/",
        ),
        (
            sources.Source(
                http=sources.HttpSource(
                    files=tuple(sources.HttpFile(url=f"https://x/{n}", path=n) for n in "ab")
                )
            ),
            SourceKind.HTTP,
            "2 files",
        ),
    ],
    ids=["hub", "data set", "s3", "http"],
)
def test_a_source_is_one_word_for_tables(source: sources.Source, kind: SourceKind, summary: str) -> None:
    assert (source.kind, source.summary, source.secret_name) == (kind, summary, None)


def test_a_targets_identity_is_claim_and_path() -> None:
    assert a_spec().target_dir == ("models", "model")


def in_cache(repository: str, sub_path: str = "hf", **source: Any) -> api.ModelSyncSpec:
    hub = sources.HuggingFaceSource(repository=repository, **source)
    claim = api.ClaimTarget(claim_name="models", sub_path=sub_path)
    target = api.Target(persistent_volume_claim=claim, layout=transfer.Layout.HUGGING_FACE_CACHE)
    return a_spec(source=sources.Source(hugging_face=hub), target=target)


@pytest.mark.parametrize(
    ("spec", "directory"),
    [
        (in_cache("org/name"), "hf/hub/models--org--name"),
        (in_cache("gpt2", ""), "hub/models--gpt2"),
        (in_cache("org/name", repository_type=sources.RepositoryType.DATASET), "hf/hub/datasets--org--name"),
    ],
    ids=["a model", "one without an organisation, at the volume's root", "a dataset"],
)
def test_in_a_cache_each_repository_has_its_directory_as_the_library_names_it(
    spec: api.ModelSyncSpec, directory: str
) -> None:
    hub = spec.source.hugging_face
    assert hub is not None
    kind = "dataset" if hub.repository_type is sources.RepositoryType.DATASET else "model"
    assert directory.rpartition("/")[2] == repo_folder_name(repo_id=hub.repository, repo_type=kind)
    assert spec.target_dir == ("models", directory)
    assert spec.published_at("c0ffee") == f"{directory}/snapshots/c0ffee"


def test_a_directory_is_published_where_it_lies() -> None:
    assert (a_spec().published_at("r1"), a_spec().published_at(None)) == ("model", "model")
