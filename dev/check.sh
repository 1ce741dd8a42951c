#!/bin/sh
# What can be known in about a minute, without root and without a cluster: style, generated files, and the tests
# of what decides (core), of the API and of the operator against a Kubernetes API in memory. `make lint` has the
# types, `make test` all the rest.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="${XDG_CACHE_HOME:-$HOME/.cache}/modelsync/bytecode"
ruff format --check .
ruff check .
PYTHONPATH="operator:." lint-imports --no-cache
python -m modelsync crds --check crds
python -m dev.docs --check
exec python -m pytest -n 3 -q -m "not slow" --hypothesis-profile=quick \
    tests/test_architecture.py tests/parallel tests/core tests/api tests/runtime
