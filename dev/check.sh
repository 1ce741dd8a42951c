#!/bin/sh
# What can be known within a minute, without root and without a cluster: the house rules, and the tests of what
# decides (core), of the API and of the operator against a Kubernetes API in memory.
set -eu
cd "$(dirname "$0")/.."
dev/lint.sh
exec python -m pytest -n 2 -q tests/test_architecture.py tests/parallel tests/core tests/api tests/runtime
