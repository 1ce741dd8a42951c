"""Which cluster the demo and the tests use: ours, or the one that KUBECONFIG names.

Ours lives in a network namespace of its own, so every command that talks to it is run through
`dev.cluster exec`. A foreign one (kind and others) is reached directly; there the user says how an image is
loaded (`MODELSYNC_LOAD_IMAGE`, a command that gets the archive's path as its last argument) and under which
address its Pods reach this machine (`MODELSYNC_ORIGIN_HOST`).
"""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable]
CLUSTER_TOOL = [*PYTHON, "-m", "dev.cluster"]
LOAD_VARIABLE, HOST_VARIABLE = "MODELSYNC_LOAD_IMAGE", "MODELSYNC_ORIGIN_HOST"


class TargetError(Exception):
    """The cluster cannot be used as it is; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster to work on."""

    ours: bool
    inside: bool
    """Whether this process already runs inside our cluster's network namespace."""

    @property
    def prefix(self) -> list[str]:
        """What to put before a command so that it reaches the cluster."""
        return [*CLUSTER_TOOL, "exec", "--"] if self.ours and not self.inside else []

    @property
    def origin_host(self) -> str:
        """An address of this machine that the cluster's Pods reach."""
        if self.ours:
            return os.environ.get(HOST_VARIABLE, "10.10.0.1")
        try:
            return os.environ[HOST_VARIABLE]
        except KeyError:
            raise TargetError(
                f"set {HOST_VARIABLE} to an address of this machine that the cluster's Pods reach"
                " (for kind: the gateway of its docker network)"
            ) from None

    def start(self, *, uplink: bool = False) -> bool:
        """Start our cluster when it does not run; returns whether this call started it.

        With `uplink` its Pods reach the internet; a cluster that runs without one is refused by the tool.
        """
        if not self.ours or self.inside:
            return False
        healthy = subprocess.run([*CLUSTER_TOOL, "status"], cwd=REPOSITORY, capture_output=True, check=False)
        runs = healthy.returncode == 0
        if runs and not uplink:
            return False
        command = [*CLUSTER_TOOL, "start", *(("--uplink",) if uplink else ())]
        if subprocess.run(command, cwd=REPOSITORY, check=False).returncode:
            raise TargetError("the cluster did not start; the reason is in its output above")
        return not runs

    def stop(self) -> None:
        """Stop our cluster."""
        if self.ours and not self.inside:
            subprocess.run([*CLUSTER_TOOL, "stop"], cwd=REPOSITORY, check=True)

    def load_image(self, archive: Path) -> None:
        """Give the cluster's nodes an image from an OCI archive."""
        if self.ours:
            command = [*CLUSTER_TOOL, "load-image"]
        elif LOAD_VARIABLE in os.environ:
            command = shlex.split(os.environ[LOAD_VARIABLE])
        else:
            raise TargetError(
                f"set {LOAD_VARIABLE} to the command that loads an image archive into this cluster"
                " (for kind: 'kind load image-archive')"
            )
        subprocess.run([*command, str(archive)], cwd=REPOSITORY, check=True)


def current() -> Target:
    """The target that the environment names."""
    inside = "MODELSYNC_DEV_CLUSTER" in os.environ
    return Target(ours=inside or "KUBECONFIG" not in os.environ, inside=inside)
