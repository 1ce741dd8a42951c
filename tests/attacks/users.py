"""Users of the cluster by impersonation, with exactly the rights that an attack gives them."""

import json
from collections.abc import Callable
from typing import Any

from dev import kube, kube_api

Rule = dict[str, Any]


def grant(user: str, namespace: str, *rules: Rule) -> None:
    """Give a user these rules in a namespace, and nothing else there."""
    name = {"name": user, "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    kube.apply(
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": name, "rules": list(rules)},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": name,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    )


def edit(user: str, namespace: str) -> None:
    """Give a user the role `edit` in a namespace, as tenants have it."""
    group = "rbac.authorization.k8s.io"
    kube.apply(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{user}-edit", "namespace": namespace},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }
    )


def attempt(user: str, *words: str, stdin: kube.Object | None = None) -> str:
    """Run kubectl as a user; returns the refusal, or "" when the cluster obeyed."""
    text = None if stdin is None else json.dumps(stdin)
    try:
        kube.kubectl(*words, "--as", user, stdin=text)
    except kube.KubectlError as error:
        return str(error).partition(": ")[2]
    return ""


def create(user: str, thing: kube.Object, *, strict: bool = True, dry_run: bool = True) -> str:
    """Whether a user may create an object, by server dry run; the refusal, or "". "" is ourselves."""
    return _refusal(lambda: kube_api.create(thing, user=user, strict=strict, dry_run=dry_run))


def patch(user: str, space: str, name: str, change: kube.Object, *, sub: str = "") -> str:
    """Whether a user may merge a change into a ModelSync, by server dry run; the refusal, or ""."""
    return _refusal(
        lambda: kube_api.patch("modelsync", space, name, change, subresource=sub, user=user, dry_run=True)
    )


def _refusal(asked: Callable[[], object]) -> str:
    try:
        asked()
    except kube_api.ApiError as error:
        return str(error).partition(": ")[2]
    return ""


def problem(refusal: str, *words: str) -> str:
    """An attack's problem from a refusal that must contain one of these words."""
    if not refusal:
        return "the cluster obeyed"
    return "" if any(word in refusal for word in words) else f"refused for another reason: {refusal[:300]}"
