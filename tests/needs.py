"""What a test needs that is not everywhere."""

import os
import shutil

import pytest

CLUSTER = pytest.mark.skipif(
    "KUBECONFIG" not in os.environ or shutil.which("kubectl") is None,
    reason="no cluster: run `make test`, or set KUBECONFIG",
)
