#!/bin/sh
# All tests, with pytest's summary as the last line. Extra arguments go to pytest.
set -eu
exec dev/on-cluster.sh python -m pytest -n 6 "$@"
