#!/bin/sh
# Lint the chart and package it into build/.
set -eu
cd "$(dirname "$0")/.."
PATH="${XDG_CACHE_HOME:-$HOME/.cache}/modelsync/bin:$PATH"
command -v helm >/dev/null || { echo "helm is built by 'make cluster'; run that first" >&2; exit 2; }
helm lint --strict charts/modelsync
helm package charts/modelsync --destination build
