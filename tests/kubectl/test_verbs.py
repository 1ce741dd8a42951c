"""What the verbs decide, by tables: what is created, exit codes, what is pruned, what is hidden."""

import json
from typing import Any

import pytest

from modelsync import errors
from modelsync.api.modelsync import ModelSyncSpec
from modelsync.api.reasons import Phase, Reason
from modelsync.kubectl.verbs import check, create, prune, queue, report, wait
from modelsync.reading import picture, rows
from tests.builders import NOW, ago
from tests.reading.objects import as_object, downloading, in_phase

_CREATED: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "a repository": ("hf://org/My_Model@v1", "pvc/models/llama", "my-model", {"subPath": "llama"}),
    "a bucket": ("s3://bucket/some/prefix/", "pvc/models", "prefix", {}),
    "a file": ("https://host/dir/model.gguf?token=x", "pvc/models/a/b", "model-gguf", {"subPath": "a/b"}),
}


@pytest.mark.parametrize("case", _CREATED)
def test_an_address_and_a_claim_make_a_modelsync(case: str) -> None:
    address, to, name, path = _CREATED[case]
    made = create.document((address,), to, None, "team", {"secret": "keys", "queue": "gpu", "priority": 0})
    assert made["metadata"] == {"name": name, "namespace": "team"}
    assert made["spec"]["target"] == {"persistentVolumeClaim": {"claimName": "models"} | path}
    spec = ModelSyncSpec.model_validate(made["spec"])
    assert (spec.queue, spec.priority) == ("gpu", 0)
    assert [one["secretRef"]["name"] for one in made["spec"]["source"].values()] == ["keys"]


@pytest.mark.parametrize(
    ("address", "to", "words"),
    [
        ("hf://org/model", "models", "--to: 'models' must be pvc/CLAIM"),
        ("hf://org/model", "pvc/", "--to: 'pvc/' must be pvc/CLAIM"),
        ("org/model", "pvc/models", "expected hf://org/name"),
        ("s3:///", "pvc/models", "has no bucket"),
    ],
)
def test_what_no_modelsync_can_say_is_refused(address: str, to: str, words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        create.document((address,), to, None, "team", {})


_COMPLETE = as_object(in_phase(Phase.COMPLETE, Reason.SYNCED, since=7_200, completion_time=ago(7_200)))
_FAILED = as_object(in_phase(Phase.FAILED, Reason.NOT_FOUND, since=7_200))
_CANCELLED = as_object(in_phase(Phase.CANCELLED, Reason.CANCELLED, since=7_200))


@pytest.mark.parametrize(
    ("syncs", "code"),
    [
        ([_COMPLETE], 0),
        ([_COMPLETE, _CANCELLED], 3),
        ([_COMPLETE, _CANCELLED, _FAILED], 1),
    ],
)
def test_an_exit_code_says_how_it_went(syncs: list[Any], code: int) -> None:
    assert wait.outcome(rows.read(one, NOW) for one in syncs) == code


@pytest.mark.parametrize(
    ("sync", "least", "phases", "due"),
    [
        (_COMPLETE, 3_600, ("Complete",), True),
        (_COMPLETE, 10_000, ("Complete",), False),
        (_FAILED, 0, ("Complete", "Cancelled"), False),
        (_FAILED, 0, ("Failed",), True),
        (downloading(), 0, ("Complete", "Failed", "Cancelled"), False),
    ],
)
def test_only_what_is_over_for_long_is_pruned(sync: Any, least: float, phases: Any, due: bool) -> None:
    row = rows.read(sync, NOW)
    age = 7_200 if row.finished else None
    assert prune.is_due(row, age, least, phases) is due


def test_queues_are_a_table_with_reasons() -> None:
    closed = {
        "metadata": {"name": "gpu"},
        "spec": {"maxActive": 2, "suspend": True},
        "status": {"waiting": 1},
    }
    lines = queue.queue_lines(picture.read([], [closed], NOW).queues)
    assert lines[0].split() == ["QUEUE", "STATE", "SLOTS", "WAITING", "COMPLETE", "FAILED", "CANCELLED"]
    assert lines[-1] == "gpu: the queue is suspended (spec.suspend)"


@pytest.mark.parametrize(
    ("spec", "well"),
    [
        ({"holderIdentity": "pod_1", "renewTime": ago(5).isoformat()}, True),
        ({"holderIdentity": "pod_1", "renewTime": ago(90).isoformat()}, False),
        ({"holderIdentity": "", "renewTime": ago(5).isoformat()}, False),
        ({}, False),
    ],
)
def test_an_operator_acts_while_it_renews_its_lease(spec: dict[str, Any], well: bool) -> None:
    assert check.lease_finding({"metadata": {"namespace": "system"}, "spec": spec}, NOW).well is well


CANARY = "kanarienvogel"
_SECRETS: dict[str, Any] = {
    "a signed address": {"url": f"https://host/file?X-Amz-Signature={CANARY}"},
    "a password in an address": {"proxy": f"http://user:{CANARY}@proxy:3128"},
    "a variable": {"env": [{"name": "HF_TOKEN", "value": CANARY}]},
    "a key of S3": {"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": CANARY}]},
    "the worker's key": {"annotations": {"modelsync.dev/progress-key": CANARY}},
    "the work request": {"annotations": {"modelsync.dev/work-request": f'{{"a": "{CANARY}"}}'}},
    "what was applied": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}},
    "a header in a message": {"message": f"sent Authorization: Bearer {CANARY}"},
    "a token of the Hub in a log": {"message": f"got hf_{CANARY}"},
    "a password by name": {"password": CANARY},
    "what others wrote": {"managedFields": [{"fieldsV1": CANARY}]},
}


@pytest.mark.parametrize("case", _SECRETS)
def test_a_report_holds_no_secret(case: str) -> None:
    assert CANARY not in json.dumps(report.redacted({"items": [{"spec": _SECRETS[case]}]}))


def test_a_report_keeps_what_helps() -> None:
    kept = {"secretRef": {"name": "hub"}, "message": "403 from https://huggingface.co/org", "attempts": 3}
    assert report.redacted(kept) == kept


def test_bars_of_several_stand_below_each_other() -> None:
    found = [rows.read(one, NOW) for one in (downloading("a-long-name"), downloading("b"), _FAILED)]
    lines = [wait.line(row, 11) for row in found]
    assert lines[0].index("█") == lines[1].index("█") and lines[2] == "llama        Failed"
