"""The plugin on the real cluster: each verb once, on ModelSyncs that a real operator carries out."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e.sources import hub_source

_FILES = {"config.json": b"{}", "model.safetensors": b"x" * 3_000_000}


def _run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "modelsync", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    assert "\x1b" not in done.stdout and "Traceback" not in done.stderr
    return done


@pytest.fixture
def llama(space: str, hub: HubServer) -> str:
    """A ModelSync that waits to be resumed."""
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", files=_FILES), suspend=True))
    kube.wait_for("llama", space, kube.phase_is("Paused"), 30, "Paused")
    return space


@pytest.mark.early
def test_a_download_is_steered_and_watched_from_pause_to_complete(llama: str, tmp_path: Path) -> None:
    here = ("-n", llama)
    assert "llama  Paused" in _run("get", *here).stdout
    assert _run("get", "-o", "name", *here).stdout == "modelsync.modelsync.dev/llama\n"
    assert json.loads(_run("get", "llama", "-o", "json", *here).stdout)["metadata"]["name"] == "llama"
    assert "it is paused already" in _run("pause", "llama", *here, code=1).stderr
    assert "limited" in _run("limit", "llama", "50M", *here).stdout
    assert "prioritized" in _run("prioritize", "llama", "7", *here).stdout
    assert "resumed" in _run("resume", "llama", *here).stdout
    assert "llama  Complete  100.0%" in _run("wait", "llama", "--timeout", "90s", *here).stdout
    spec = kube.get("modelsync", "llama", llama)["spec"]
    assert (spec["bandwidthLimit"], spec["priority"], spec["suspend"]) == ("50M", 7, False)
    screen = _run("status", "llama", *here).stdout
    assert "Status:     Complete" in screen and "100.0%  3.0MB / 3.0MB" in screen and "Synced" in screen
    assert "Synced" in _run("events", "llama", *here).stdout
    assert "Published 2 files" in _run("logs", "llama", *here).stdout
    assert "default" in _run("queue", *here).stdout
    assert "MODELSYNC" in _run("top", *here).stdout
    assert "modelsync.dev/v1alpha1 is served" in _run("check", *here).stdout
    written = str(tmp_path / "report.tar.gz")
    _run("report", "-o", written, *here)
    with tarfile.open(written) as archive:
        assert "modelsync-report/modelsyncs.json" in archive.getnames()
    assert "would be deleted" in _run("prune", "--older-than", "0", "--dry-run", *here).stdout
    assert "deleted" in _run("prune", "--older-than", "0", *here).stdout
    assert "No ModelSyncs found" in _run("get", *here).stderr


def test_what_failed_is_retried_and_what_is_cancelled_is_not(space: str, hub: HubServer) -> None:
    here = ("-n", space)
    kube.apply(kube.sync("off", space, hub_source(hub, "org/off", files=_FILES), suspend=True))
    assert "cancelled" in _run("cancel", "off", *here).stdout
    address = "hf://org/nothing@main"
    _run("create", address, "--to", "pvc/models/a", "--name", "bad", "--endpoint", hub.url, *here)
    assert _run("wait", "off", "--timeout", "60s", *here, code=3).stdout
    assert "bad  Failed" in _run("wait", "bad", "--timeout", "60s", *here, code=1).stdout
    screen = _run("status", "bad", *here).stdout
    assert "Failed (NotFound)" in screen and f"kubectl modelsync retry bad -n {space}" in screen
    assert _run("retry", "--all-failed", *here).stdout == "modelsync.modelsync.dev/bad will be retried\n"
    assert kube.get("modelsync", "off", space)["spec"]["cancel"] is True


def test_a_document_is_shown_before_it_is_created(space: str) -> None:
    words = ("create", "s3://bucket/prefix", "--to", "pvc/models", "-n", space)
    assert "bucket: bucket" in _run(*words, "--dry-run", "client").stdout
    assert "uid:" in _run(*words, "--dry-run", "server").stdout
    refused = _run(*words, "--engine", "Nothing", "--dry-run", "server", code=1).stderr
    assert "spec.engine" in refused
    assert not kube.get("modelsyncs", namespace=space)


def test_a_caller_without_the_right_reads_so_in_a_sentence(space: str) -> None:
    refused = _run("get", "-n", space, "--as", "system:serviceaccount:nobody:nobody", code=1).stderr
    assert refused.startswith("error: you have no right to that: modelsyncs.modelsync.dev is forbidden")
    assert "not found" in _run("status", "nothing", "-n", space, code=1).stderr
