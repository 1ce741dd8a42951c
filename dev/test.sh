#!/bin/sh
# All tests, with pytest's summary as the last line. Extra arguments go to pytest.
set -eu
# All processes import the same modules, and a test starts hundreds of them: compiled once, beside the other caches.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="${XDG_CACHE_HOME:-$HOME/.cache}/modelsync/bytecode"
exec dev/on-cluster.sh python -m pytest -n 6 "$@"
