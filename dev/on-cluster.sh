#!/bin/sh
# on-cluster.sh COMMAND...: run a command where the tests' cluster and our image are.
#
# Ours: starts the development cluster (and stops it again if it did not run before), loads the image, and runs the
# command inside the cluster's network namespace. With KUBECONFIG set, that cluster is used instead. A cluster that
# holds an installation which the tests did not make is refused before anything is changed (dev/occupied.py).
set -eu

started=no
unset MODELSYNC_CLUSTER_GOES  # of another run: a variable outlives the moment in which it was meant
finish() {
    code=$?
    trap - EXIT INT TERM
    if [ "$started" = yes ]; then
        python -m dev.cluster stop >"$log" 2>&1 || cat "$log" >&2
    fi
    rm -f "$log"
    exit "$code"
}
log=$(mktemp)
trap finish EXIT
trap 'exit 130' INT TERM

if [ -n "${KUBECONFIG:-}" ] && [ -z "${MODELSYNC_DEV_CLUSTER:-}" ]; then
    python -m dev.occupied
    python -m dev.load_image
    "$@"
else
    if ! python -m dev.cluster status >/dev/null 2>&1; then
        started=yes
        export MODELSYNC_CLUSTER_GOES=yes  # nothing that is made on it needs to be removed
        python -m dev.cluster start
    fi
    python -m dev.cluster exec -- python -m dev.occupied
    python -m dev.load_image
    python -m dev.cluster exec -- "$@"
fi
