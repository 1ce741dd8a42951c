"""The commands of docs/howto/control.md do to a stored ModelSync what the page says."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.api import proof
from tests.api.specs import bases

pytestmark = proof.NEEDS_CLUSTER
PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "control.md"
_ROW = re.compile(r"\| ([^|`]+) \| `(kubectl (?:patch|annotate) modelsync [^`]+)` \|")
ROWS = dict(_ROW.findall(PAGE.read_text(encoding="utf-8")))
WANTED = {
    "pause": ("suspend", True),
    "resume": ("suspend", False),
    "cancel": ("cancel", True),
    "start again": ("cancel", False),
    "limit the speed, also during a download": ("bandwidthLimit", "50M"),
    "raise the priority": ("priority", 10),
}


@pytest.fixture(scope="module")
def minilm(api: proof.Proof) -> str:
    api.create("ModelSync", bases.BASES["hub"], name="minilm", dry_run=False)
    return proof.SYNCS


def _run(command: str, kind: str) -> None:
    there = command.replace("modelsync minilm", f"{kind} minilm --namespace {proof.NAMESPACE}", 1)
    subprocess.run(["sh", "-c", there], check=True, capture_output=True)


@pytest.mark.parametrize("act", WANTED)
def test_an_act_is_a_change_of_the_spec(api: proof.Proof, minilm: str, act: str) -> None:
    _run(ROWS[act], minilm)
    field, value = WANTED[act]
    assert api.get("ModelSync", "minilm")["spec"][field] == value


def test_a_retry_is_an_annotation(api: proof.Proof, minilm: str) -> None:
    _run(ROWS["retry a failed sync, or skip a wait"], minilm)
    annotations = api.get("ModelSync", "minilm")["metadata"]["annotations"]
    assert annotations["modelsync.dev/retry-requested-at"].isdigit()


def test_no_act_of_the_page_goes_untried() -> None:
    assert set(ROWS) == {*WANTED, "retry a failed sync, or skip a wait"}
