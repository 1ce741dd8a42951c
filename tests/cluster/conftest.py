"""These tests try the development cluster itself, so they need one of ours, not any cluster."""

import collections.abc
import json
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

from tests.cluster import traces

Kubectl = collections.abc.Callable[..., str]


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    if "MODELSYNC_DEV_CLUSTER" not in os.environ:
        pytest.skip("run inside `python -m dev.cluster exec --`")

    def run(*arguments: str, stdin: object = None) -> str:
        text = None if stdin is None else json.dumps(stdin)
        done = subprocess.run(
            ["kubectl", *arguments], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def namespace(kubectl: Kubectl) -> collections.abc.Iterator[str]:
    name = f"cluster-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def python() -> str:
    return sys.executable


@pytest.fixture(scope="session")
def repository() -> pathlib.Path:
    return pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def audit_log() -> pathlib.Path:
    return traces.cache_folder() / "cluster" / os.environ["MODELSYNC_DEV_CLUSTER"] / "audit.log"
