#!/bin/sh
# Format, style, types and generated files, without changing any.
set -eu
cd "$(dirname "$0")/.."
ruff format --check .
ruff check .
mypy operator/modelsync dev tests
PYTHONPATH="operator:." lint-imports --no-cache
python -m modelsync crds --check crds
python -m modelsync crds --check charts/modelsync/files/crds
python -m dev.docs --check
