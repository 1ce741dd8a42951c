"""Secrets and claims of others: a ModelSync is no way to use what its author may not."""

import copy
from collections.abc import Iterator
from typing import Any

from dev import kube
from tests.attacks import users
from tests.attacks.case import Attack, Ground, Outcome
from tests.e2e import release

_SECRET = {"name": "tok"}
SOURCES: dict[str, dict[str, Any]] = {
    "huggingFace": {"huggingFace": {"repository": "org/name", "secretRef": _SECRET}},
    "s3": {"s3": {"bucket": "models", "secretRef": _SECRET}},
    "http": {"http": {"files": [{"url": "https://o.example/f", "path": "f"}], "secretRef": _SECRET}},
}
_SYNCS = {
    "apiGroups": ["modelsync.dev"],
    "resources": ["modelsyncs", "modelsyncs/status"],
    "verbs": ["*"],
}
_CLAIM = {
    "apiGroups": [""],
    "resources": ["persistentvolumeclaims"],
    "verbs": ["update"],
    "resourceNames": ["models"],
}
_NO_SECRET, _NO_CLAIM = "you may not get Secret", "you may not update PersistentVolumeClaim"


def _sync(name: str, space: str, source: dict[str, Any], **spec: Any) -> kube.Object:
    return kube.sync(name, space, copy.deepcopy(source), suspend=True, **spec)


def named_at_creation(full: bool) -> Iterator[Outcome]:
    """CREATE with a Secret, or a claim, that the author may not use."""
    with kube.namespace("attack-secrets-created") as space:
        users.grant("eve", space, _SYNCS, _CLAIM)
        for kind, source in SOURCES.items():
            yield f"source {kind}", users.problem(users.create("eve", _sync("a", space, source)), _NO_SECRET)
        anonymous = _sync("a", space, SOURCES["s3"])
        anonymous["metadata"] = {"generateName": "a-", "namespace": space}
        yield "generateName", users.problem(users.create("eve", anonymous), _NO_SECRET)
        both = _sync("a", space, {**SOURCES["s3"], "huggingFace": None})
        yield "a null beside it", users.problem(users.create("eve", both), _NO_SECRET, "exactly one")
        two = _sync("a", space, {**SOURCES["s3"], **SOURCES["http"]})
        yield "a second source", users.problem(users.create("eve", two), _NO_SECRET, "exactly one")
        foreign = _sync("a", space, {"huggingFace": {"repository": "org/name"}}, claim_name="other")
        yield "a claim", users.problem(users.create("eve", foreign), _NO_CLAIM)


def put_in_later(full: bool) -> Iterator[Outcome]:
    """The Secret put into a sync that has none, by every way of changing an object."""
    with kube.namespace("attack-secrets-later") as space:
        users.grant("eve", space, _SYNCS, _CLAIM)
        plain = _sync("later", space, {"s3": {"bucket": "models"}})
        kube.apply(plain)
        where = ("modelsync", "later", "-n", space)
        merge = '{"spec": {"source": {"s3": {"secretRef": {"name": "tok"}}}}}'
        add = '[{"op": "add", "path": "/spec/source/s3/secretRef", "value": {"name": "tok"}}]'
        whole = _sync("later", space, SOURCES["s3"])
        version = kube.get("modelsync", "later", space)["metadata"]["resourceVersion"]
        put = {**whole, "metadata": {**whole["metadata"], "resourceVersion": version}}
        ways: dict[str, tuple[tuple[str, ...], kube.Object | None]] = {
            "merge patch": (("patch", *where, "--type=merge", "-p", merge), None),
            "JSON patch": (("patch", *where, "--type=json", "-p", add), None),
            "server-side apply": (("apply", "--server-side", "--force-conflicts", "-f", "-"), whole),
            "PUT": (("replace", "-f", "-"), put),
            "status": (("patch", *where, "--subresource=status", "--type=merge", "-p", merge), None),
        }
        for name, (words, stdin) in ways.items():
            refusal = users.attempt("eve", *words, stdin=stdin)
            found = kube.get("modelsync", "later", space)["spec"]["source"]["s3"]
            yield (
                name,
                "" if "secretRef" not in found else f"the Secret is in the spec ({refusal or 'obeyed'})",
            )


def odd_names(full: bool) -> Iterator[Outcome]:
    """Names that lead to a Secret elsewhere."""
    with kube.namespace("attack-secrets-names") as space:
        users.grant("eve", space, _SYNCS, _CLAIM)
        for name in (
            "",
            "UPPER",
            f"../{release.SYSTEM}/tok",
            "tok ",
            f"{release.SYSTEM}.tok",
            "a/b",
            "tok\n",
        ):
            source = {"s3": {"bucket": "models", "secretRef": {"name": name}}}
            refusal = users.create("eve", _sync("a", space, source))
            yield repr(name), "" if refusal else "the cluster obeyed"


def odd_paths(full: bool) -> Iterator[Outcome]:
    """A target directory outside the claim's own tree, or in modelsync's own files."""
    paths = ("..", "a/../../b", "/etc", ".modelsync", "a//b", "a\nb", "a\x00b", "a/.modelsync/b",
             "a/./b", "a\\b", "A/.MODELSYNC")  # fmt: skip
    with kube.namespace("attack-paths") as space:
        for path in paths:
            sync = _sync("a", space, {"s3": {"bucket": "models"}}, sub_path=path)
            refusal = users.create("", sync)
            yield repr(path), "" if refusal else "the cluster obeyed"


def fields_of_pods(full: bool) -> Iterator[Outcome]:
    """Fields of a Pod that a podTemplate has none of: each is refused or dropped, never passed on."""
    fields: dict[str, Any] = {
        "containers": [{"name": "x", "image": "evil"}],
        "image": "evil",
        "env": [{"name": "LD_PRELOAD", "value": "/x"}],
        "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
        "serviceAccount": "default",
        "hostNetwork": True,
        "hostPID": True,
        "securityContext": {"runAsUser": 0},
        "automountServiceAccountToken": True,
    }
    with kube.namespace("attack-pods") as space:
        for name, value in fields.items():
            sync = _sync(
                f"pod-{name.lower()}", space, {"s3": {"bucket": "models"}}, podTemplate={name: value}
            )
            if users.create("", sync, strict=False, dry_run=False):
                yield name, ""
                continue
            kept = kube.get("modelsync", sync["metadata"]["name"], space)["spec"].get("podTemplate", {})
            yield name, f"kept: {kept}" if name in kept else ""


def _attack(name: str, run: Any) -> Attack:
    return Attack(topic="secrets", name=name, how=Ground.CLUSTER, run=run)


ATTACKS = (
    _attack("a Secret or a claim that one may not use, named at creation", named_at_creation),
    _attack("a Secret that one may not get, put into a sync afterwards", put_in_later),
    _attack("a Secret's name that leads elsewhere", odd_names),
    _attack("a target directory outside the claim or in modelsync's own files", odd_paths),
    _attack("fields of a Pod in podTemplate that it does not have", fields_of_pods),
)
