"""What a cluster has already, and whether the tests or the demo may begin there.

Both install the chart and remove it again with its definitions, and with a definition goes every object of
its kind. So they put a label on what they make, remove by that label alone, and refuse a cluster on which
anything of modelsync lacks it. The permission to remove another's installation names the cluster, because a
variable outlives the moment in which it was meant.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dev import target as targets

LABEL = "modelsync.dev/made-by"
VARIABLE = "MODELSYNC_REMOVE_INSTALLATION"
GOES_VARIABLE = "MODELSYNC_CLUSTER_GOES"
SYSTEM, RELEASE = "modelsync-system", "modelsync"
CRDS = {"ModelSync": "modelsyncs.modelsync.dev", "SyncQueue": "syncqueues.modelsync.dev"}


class Maker(StrEnum):
    """Who installs the chart and removes it again; the label's values."""

    TESTS = "tests"
    DEMO = "demo"


NAMESPACES = {Maker.TESTS: (SYSTEM,), Maker.DEMO: (SYSTEM, "demo")}
"""The namespaces that each makes under a fixed name, and deletes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A definition, an object of it, a Helm release, or a namespace under a name that is needed."""

    kind: str
    name: str
    namespace: str = ""
    maker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster by commands; `prefix` leads them there."""

    prefix: Sequence[str] = ()

    def run(self, *command: str) -> str:
        """Run a command and return what it printed; raises TargetError with its complaint."""
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise targets.TargetError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def identity(self) -> str:
        """The uid of a namespace that a cluster has for life."""
        return self.run("kubectl", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")

    def look(self, maker: Maker) -> list[Thing]:
        """All of ours on the cluster, and the namespaces that `maker` makes, each with who made it."""
        namespaces = {one.name: one.maker for one in self._get("Namespace", "namespaces")}
        definitions = self._get("CustomResourceDefinition", "crds", *CRDS.values(), "--ignore-not-found")
        served = {one.name for one in definitions}
        objects = [one for kind, crd in CRDS.items() if crd in served for one in self._get(kind, crd, "-A")]
        named = [
            Thing(kind="Namespace", name=name, maker=namespaces[name])
            for name in NAMESPACES[maker]
            if name in namespaces
        ]
        inside = [
            Thing(kind=one.kind, name=one.name, namespace=one.namespace, maker=one.maker or owner)
            for one in (*objects, *self._releases())
            for owner in [namespaces.get(one.namespace)]
        ]
        return [*definitions, *inside, *named]

    def remove(self, things: Sequence[Thing]) -> None:
        """Remove releases, definitions (their objects go with them) and namespaces."""
        for one in (found for found in things if found.kind == "HelmRelease"):
            self.run("helm", "uninstall", one.name, "-n", one.namespace, "--wait", "--timeout", "60s")
        for kind, resource in (("CustomResourceDefinition", "crd"), ("Namespace", "namespace")):
            names = [one.name for one in things if one.kind == kind]
            if names:
                self.run("kubectl", "delete", resource, *names, "--ignore-not-found", "--timeout=90s")

    def clean_up(self, maker: Maker) -> None:
        """Remove what `maker` made: its release, namespaces, volumes, and definitions if no other uses them.

        Raises TargetError at the end when somebody has made objects of these definitions in the meantime.
        """
        things = self.look(maker)
        others = [one for one in foreign(things, maker) if one.kind in CRDS]
        kinds = {"HelmRelease"} if others else {"HelmRelease", "CustomResourceDefinition"}
        self.remove([one for one in things if one.maker == maker and one.kind in kinds])
        selector = f"{LABEL}={maker}"
        made = "namespace,persistentvolume"
        self.run("kubectl", "delete", made, "-l", selector, "--ignore-not-found", "--timeout=90s")
        if others:
            raise targets.TargetError(
                f"the definitions stay, because others use them: {'; '.join(_lines(others))}"
            )

    def _get(self, kind: str, *words: str) -> list[Thing]:
        text = self.run("kubectl", "get", *words, "-o", "json")
        found = json.loads(text) if text.strip() else {"items": []}
        items = [one["metadata"] for one in found.get("items", [found])]
        return [
            Thing(
                kind=kind,
                name=meta["name"],
                namespace=meta.get("namespace", ""),
                maker=meta.get("labels", {}).get(LABEL),
            )
            for meta in items
        ]

    def _releases(self) -> list[Thing]:
        listed = json.loads(self.run("helm", "list", "-A", "-a", "--max", "0", "-o", "json"))
        return [
            Thing(kind="HelmRelease", name=one["name"], namespace=one["namespace"])
            for one in listed
            if re.match(r"modelsync-\d", one["chart"])
        ]


def cluster_goes() -> bool:
    """Whether the cluster is stopped after this run, which started it (dev/on-cluster.sh), with all on it."""
    return GOES_VARIABLE in os.environ


def chart_setting(maker: Maker) -> str:
    """The `--set` value that puts the label on all that the chart makes."""
    return f"commonLabels.{LABEL.replace('.', chr(92) + '.')}={maker}"


def foreign(things: Sequence[Thing], maker: Maker) -> list[Thing]:
    """What somebody else made."""
    return [one for one in things if one.maker != maker]


def refusal(things: Sequence[Thing], maker: Maker, identity: str) -> str:
    """What stands in the way, what permission would remove, and how to give it."""
    return "\n".join(
        [
            f"this cluster has what the {maker} did not make, and would remove:",
            *(f"  {line}" for line in _lines(things)),
            "Nothing was changed. Use another cluster (ours is new after `make cluster-down`), or, to have",
            "all of this removed first, namespaces with everything in them, set this and try again:",
            f"  {VARIABLE}={identity}",
        ]
    )


def _lines(things: Sequence[Thing]) -> list[str]:
    single = {"CustomResourceDefinition", "HelmRelease", "Namespace"}
    lines = [
        f"{one.kind} {one.name}" + (f" in namespace {one.namespace}" if one.namespace else "")
        for one in things
        if one.kind in single
    ]
    for kind in CRDS:
        counts = Counter(one.namespace for one in things if one.kind == kind)
        lines += [
            f"{number} {kind}{'s'[: number > 1]} in namespace {name}"
            for name, number in sorted(counts.items())
        ]
    return lines


def make_room(maker: Maker, prefix: Sequence[str] = ()) -> None:
    """Return if the cluster is `maker`'s to use; raises TargetError before anything is changed if it is not.

    With the permission in the environment, what others made is removed.
    """
    cluster = Cluster(prefix=prefix)
    others = foreign(cluster.look(maker), maker)
    if not others:
        return
    identity = cluster.identity()
    if os.environ.get(VARIABLE) != identity:
        raise targets.TargetError(refusal(others, maker, identity))
    cluster.remove(others)


def main() -> int:
    """`python -m dev.occupied`: 0 if the tests may begin on the cluster that KUBECONFIG names, else 2."""
    try:
        make_room(Maker.TESTS)
    except targets.TargetError as error:
        print(f"test: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
