#!/bin/sh
# All tests, with pytest's summary as the last line. Extra arguments go to pytest.
set -eu
# Hundreds of processes start here: none of them compiles what another has compiled.
unset PYTHONDONTWRITEBYTECODE
exec dev/on-cluster.sh python -m pytest -n 6 "$@"
