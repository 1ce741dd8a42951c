"""Builds the cluster's programs from Go modules: the one registry every machine here reaches.

Pins: dev/cluster/go.mod and go.sum for Kubernetes and etcd; a version in the module path for
programs whose dependencies do not fit into the same module graph (their own go.sum pins the
rest, and Go's checksum database pins them). A stamp per build makes later runs free.
"""

import collections.abc
import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

from dev.cluster import layout

HERE = pathlib.Path(__file__).parent
KUBERNETES = "v1.35.4"
HELM = "v3.22.0"
MINIMUM_GO = (1, 26)
_STRIP = "-s -w"
_COLD_BUILD_BYTES = 12 * 10**9
_RUN_BYTES = 2 * 10**9

Report = collections.abc.Callable[[str], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One `go install`: where, what, with which link flags, and the names of what comes out."""

    name: str
    target: str
    ldflags: str = _STRIP
    module_folder: pathlib.Path | None = None
    produces: dict[str, str]

    def key(self) -> str:
        """Return a digest of everything that decides the result."""
        text = f"{self.target} {self.ldflags} {sorted(self.produces.items())}"
        if self.module_folder:
            text += (self.module_folder / "go.mod").read_text()
            text += (self.module_folder / "go.sum").read_text()
        return hashlib.sha256(text.encode()).hexdigest()

    def stamp(self) -> pathlib.Path:
        """Return the file that holds the key of the last successful build."""
        return layout.binaries_folder() / f".{self.name}.key"

    def is_current(self) -> bool:
        """Return whether the binaries are there and were built from just this."""
        folder = layout.binaries_folder()
        return (
            self.stamp().exists()
            and self.stamp().read_text() == self.key()
            and all((folder / name).exists() for name in self.produces.values())
        )


def _version_flags(variables: dict[str, str]) -> str:
    return " ".join([_STRIP, *(f"-X {name}={value}" for name, value in variables.items())])


# Without these Kubernetes calls itself v0.0.0-master, and helm believes in Kubernetes v1.20.
_KUBERNETES_FLAGS = _version_flags(
    {
        "k8s.io/component-base/version.gitVersion": KUBERNETES,
        "k8s.io/component-base/version.gitMajor": "1",
        "k8s.io/component-base/version.gitMinor": "35",
    }
)
_HELM_FLAGS = _version_flags(
    {
        "helm.sh/helm/v3/internal/version.version": HELM,
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "35",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "35",
    }
)
_KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
BUILDS = (
    Build(
        name="kubernetes",
        target="tool",
        ldflags=_KUBERNETES_FLAGS,
        module_folder=HERE,
        produces={"server": "etcd"} | {name: name for name in _KUBERNETES_PROGRAMS},
    ),
    Build(
        name="coredns",
        target="github.com/coredns/coredns@v1.15.0",
        produces={"coredns": "coredns"},
    ),
    Build(
        name="local-path-provisioner",
        target="github.com/rancher/local-path-provisioner@v0.0.30",
        produces={"local-path-provisioner": "local-path-provisioner"},
    ),
    Build(
        name="helm",
        target=f"helm.sh/helm/v3/cmd/helm@{HELM}",
        ldflags=_HELM_FLAGS,
        produces={"helm": "helm"},
    ),
    Build(
        name="versitygw",
        target="github.com/versity/versitygw/cmd/versitygw@v1.8.0",
        produces={"versitygw": "versitygw"},
    ),
)


def bytes_needed() -> int:
    """Return the free space a start needs: much less once everything is built."""
    return _RUN_BYTES if all(b.is_current() for b in BUILDS) else _COLD_BUILD_BYTES


def ensure(report: Report) -> None:
    """Build what is missing: Kubernetes in one lane, the small programs in another.

    Two lanes, because linking uses one core only and compiling fills all that is idle.
    """
    missing = [build for build in BUILDS if not build.is_current()]
    if not missing:
        return
    go = find_go()
    lanes = (
        [build for build in missing if build.module_folder],
        [build for build in missing if not build.module_folder],
    )
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        for lane in [pool.submit(_build_all, go, lane, report) for lane in lanes]:
            lane.result()


def _build_all(go: str, builds: list[Build], report: Report) -> None:
    for build in builds:
        report(f"building {build.name} (log: {_log(build)})")
        _build(go, build)


def _log(build: Build) -> pathlib.Path:
    return layout.cache_folder() / "logs" / f"build-{build.name}.log"


def _build(go: str, build: Build) -> None:
    bin_folder = layout.binaries_folder()
    fresh = bin_folder / f".new-{build.name}"
    fresh.mkdir(parents=True, exist_ok=True)
    _log(build).parent.mkdir(parents=True, exist_ok=True)
    with _log(build).open("w") as log:
        done = subprocess.run(
            [go, "install", "-trimpath", "-ldflags", build.ldflags, build.target],
            cwd=build.module_folder or bin_folder,
            env=_environment(fresh),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n".join(_log(build).read_text().splitlines()[-10:])
        raise layout.ClusterError(f"building {build.name} failed:\n{tail}")
    for built, name in build.produces.items():
        (fresh / built).replace(bin_folder / name)
    shutil.rmtree(fresh)
    build.stamp().write_text(build.key())


def _environment(gobin: pathlib.Path) -> dict[str, str]:
    go_folder = layout.cache_folder() / "go"
    return os.environ | {
        "GOBIN": str(gobin),
        "GOCACHE": str(go_folder / "build"),
        "GOMODCACHE": str(go_folder / "mod"),
        "CGO_ENABLED": "0",
    }


def find_go() -> str:
    """Return a recent enough `go`: the machine's own, or the one dev/setup.sh put into the venv."""
    for candidate in (shutil.which("go"), str(layout.cache_folder() / "venv" / "bin" / "go")):
        if candidate and _go_version(candidate) >= MINIMUM_GO:
            return candidate
    wanted = ".".join(map(str, MINIMUM_GO))
    raise layout.ClusterError(f"no Go {wanted} or newer; run dev/setup.sh", exit_code=2)


def _go_version(go: str) -> tuple[int, ...]:
    try:
        text = subprocess.run([go, "version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    found = re.search(r"go(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else (0,)
