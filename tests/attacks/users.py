"""Users of the cluster by impersonation, with exactly the rights that an attack gives them."""

import functools
import json
import os
from typing import Any
from urllib.parse import urlencode

import kubernetes.client
import kubernetes.config

from dev import kube
from modelsync.api import naming

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
    query = {"fieldValidation": "Strict" if strict else "Ignore"} | ({"dryRun": "All"} if dry_run else {})
    return _asked(user, "POST", _place(thing["kind"], thing["metadata"]["namespace"]), thing, query)


def patch(user: str, space: str, name: str, change: kube.Object, *, sub: str = "") -> str:
    """Whether a user may merge a change into a ModelSync, by server dry run; the refusal, or ""."""
    place = f"{_place('ModelSync', space)}/{name}{sub and '/' + sub}"
    return _asked(user, "PATCH", place, change, {"fieldValidation": "Strict", "dryRun": "All"})


def _place(kind: str, namespace: str) -> str:
    version = {"Pod": "api/v1", "Job": "apis/batch/v1", "ModelSync": f"apis/{naming.API_VERSION}"}[kind]
    return f"/{version}/namespaces/{namespace}/{kind.lower()}s"


def _asked(user: str, method: str, place: str, body: kube.Object, query: dict[str, str]) -> str:
    """What the API server says against a request of this process: a fiftieth of the work of a kubectl."""
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    headers = {"Accept": "application/json", "Content-Type": media}
    if user:
        headers["Impersonate-User"] = user
    api = _client(os.environ["KUBECONFIG"])
    api.update_params_for_auth(headers, [], ["BearerToken"], place, method, body)
    answer = api.rest_client.pool_manager.request(
        method, f"{api.configuration.host}{place}?{urlencode(query)}", body=json.dumps(body), headers=headers
    )
    return "" if answer.status < 400 else str(json.loads(answer.data)["message"])


@functools.cache
def _client(kubeconfig: str) -> kubernetes.client.ApiClient:
    return kubernetes.config.new_client_from_config(kubeconfig, persist_config=False)


def problem(refusal: str, *words: str) -> str:
    """An attack's problem from a refusal that must contain one of these words."""
    if not refusal:
        return "the cluster obeyed"
    return "" if any(word in refusal for word in words) else f"refused for another reason: {refusal[:300]}"
