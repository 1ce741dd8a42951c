#!/bin/sh
# Makes what is generated from the code: the CRDs, the chart's copy of them, the reference pages, the dashboard.
set -eu
cd "$(dirname "$0")/.."
python -m modelsync crds crds
python -m modelsync crds charts/modelsync/files/crds
python -m dev.docs
python -m dev.dashboards
