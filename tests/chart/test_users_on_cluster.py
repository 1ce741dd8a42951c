"""Who may do what with the chart's policies on a real API server: Secrets, claims and queues of others."""

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev import kube
from tests.attacks import users as asking
from tests.chart import release

pytestmark = release.ON_CLUSTER
SPACE = "chart-users"
NO_OPERATOR = "replicaCount=0"


def paused(name: str, **spec: Any) -> kube.Object:
    """A ModelSync that starts no worker."""
    return release.paused(name, SPACE, **spec)


def grant(user: str, *rules: dict[str, Any]) -> None:
    """A Role in SPACE for a user, beside the right to create and change ModelSyncs."""
    ours = {"apiGroups": ["modelsync.dev"], "resources": ["modelsyncs"], "verbs": ["get", "create", "patch"]}
    meta = {"name": user, "namespace": SPACE}
    api = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": meta, "rules": [ours, *rules]}
    subject = {"kind": "User", "name": user, "apiGroup": api}
    ref = {"kind": "Role", "name": user, "apiGroup": api}
    kube.apply(
        role,
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": ref,
            "subjects": [subject],
        },
    )


CLAIM = {
    "apiGroups": [""],
    "resources": ["persistentvolumeclaims"],
    "verbs": ["update"],
    "resourceNames": ["models"],
}


def use(*queues: str) -> dict[str, Any]:
    """The right to use some queues."""
    return {
        "apiGroups": ["modelsync.dev"],
        "resources": ["syncqueues"],
        "verbs": ["use"],
        "resourceNames": list(queues),
    }


SECRET = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["tok"]}
NO_SECRET = "spec.source: you may not get Secret 'tok' in namespace 'chart-users'"
NO_CLAIM = "spec.target: you may not update PersistentVolumeClaim"
WITH_SECRET = {
    "huggingFace": {"huggingFace": {"repository": "org/name", "secretRef": {"name": "tok"}}},
    "s3": {"s3": {"bucket": "models", "secretRef": {"name": "tok"}}},
    "http": {"http": {"files": [{"url": "https://o.example/f", "path": "f"}], "secretRef": {"name": "tok"}}},
}


@pytest.fixture(scope="module")
def users(room: None) -> Iterator[None]:
    """Users by what they may do: `plain` the claim, `holder` the claim and the Secret, `stranger` neither.

    All three may use the queues that they name, and `member`, who has the claim, another one alone.
    """
    release.upgrade(NO_OPERATOR, "queueAccess.enabled=true")
    with kube.namespace(SPACE):
        grant("plain", CLAIM, use("default", "other"))
        grant("holder", CLAIM, SECRET, use("default", "other"))
        grant("stranger", use("default"))
        grant("member", CLAIM, use("gpu"))
        kube.eventually(lambda: refused("stranger"), 20, "the API server enforces the policy")
        yield


def create_as(user: str, sync: kube.Object, *options: str) -> None:
    """`kubectl create` as a user; raises what the user reads."""
    kube.kubectl("create", "-f", "-", "--as", user, *options, stdin=json.dumps(sync))


def refused(user: str) -> bool:
    """Whether the policy keeps a user from the Secret; the API server follows a change within a moment."""
    return NO_SECRET in asking.create(user, paused("trial", source=WITH_SECRET["s3"]))


@pytest.mark.parametrize("source", list(WITH_SECRET))
def test_secret_is_for_those_who_may_get_it(users: None, source: str) -> None:
    name = f"with-{source.lower()}"
    with pytest.raises(kube.KubectlError, match=NO_SECRET):
        create_as("plain", paused(name, source=WITH_SECRET[source]))
    create_as("holder", paused(name, source=WITH_SECRET[source]))


def test_claim_is_for_those_who_may_update_it(users: None) -> None:
    with pytest.raises(kube.KubectlError, match=NO_CLAIM):
        create_as("stranger", paused("foreign"))
    create_as("plain", paused("own"))
    with pytest.raises(kube.KubectlError, match=NO_CLAIM):
        create_as("plain", paused("other-claim", claim_name="secretive"))


def test_bad_spec_is_refused_by_the_schema_not_by_the_policy(users: None) -> None:
    with pytest.raises(kube.KubectlError, match="exactly one of huggingFace, s3, http"):
        create_as("plain", paused("none", source={}))


def test_who_may_not_get_the_secret_may_pause_its_sync_but_not_redirect_it(users: None) -> None:
    create_as("holder", paused("redirected", source=WITH_SECRET["huggingFace"]))
    as_plain = ("patch", "modelsync", "redirected", "-n", SPACE, "--type=merge", "--as", "plain", "-p")
    kube.kubectl(*as_plain, '{"spec": {"priority": 3}}')
    for change in ({"endpoint": "https://evil.example"}, {"secretRef": {"key": "other"}}):
        with pytest.raises(kube.KubectlError, match=NO_SECRET):
            kube.kubectl(*as_plain, json.dumps({"spec": {"source": {"huggingFace": change}}}))


LEADS: dict[str, Any] = {
    "engine": {"engine": "HuggingFaceHub"},
    "node": {"podTemplate": {"nodeSelector": {"kubernetes.io/hostname": "mine"}}},
    "toleration": {"podTemplate": {"tolerations": [{"operator": "Exists"}]}},
    "affinity": {"podTemplate": {"affinity": {"nodeAffinity": {}}}},
    "priority class": {"podTemplate": {"priorityClassName": "high"}},
    "requests": {"podTemplate": {"resources": {"requests": {"cpu": 7}}}},
    "labels": {"podTemplate": {"labels": {"sidecar.example.org/inject": "true"}}},
    "podTemplate that was there, removed": {"podTemplate": None},
}


def test_who_may_not_get_the_secret_may_change_nothing_that_leads_it_elsewhere(users: None) -> None:
    template = {"annotations": {"a.example.org/b": "c"}}
    create_as("holder", paused("led", source=WITH_SECRET["huggingFace"], podTemplate=template))
    as_plain = ("patch", "modelsync", "led", "-n", SPACE, "--type=merge", "--as", "plain", "-p")
    for change in LEADS.values():
        with pytest.raises(kube.KubectlError, match=NO_SECRET):
            kube.kubectl(*as_plain, json.dumps({"spec": change}))
    as_holder = (*as_plain[:-3], "--as", "holder", "--dry-run=server", "-p")
    *changes, removal = LEADS.values()
    for change in (functools.reduce(kube.merged, changes), removal):
        kube.kubectl(*as_holder, json.dumps({"spec": change}))
    for harmless in ({"suspend": False, "bandwidthLimit": "1M", "queue": "other"}, {"suspend": True}):
        kube.kubectl(*as_plain, json.dumps({"spec": harmless}))


def test_secrets_for_pulling_the_image_are_for_those_who_may_get_them(users: None) -> None:
    def pulls(name: str, *secrets: str) -> kube.Object:
        return paused(name, podTemplate={"imagePullSecrets": [{"name": secret} for secret in secrets]})

    said = "spec.podTemplate.imagePullSecrets: you may not get all of the Secrets 'tok'"
    with pytest.raises(kube.KubectlError, match=said):
        create_as("plain", pulls("pulls", "tok"))
    with pytest.raises(kube.KubectlError, match="'tok', 'other'"):
        create_as("holder", pulls("pulls", "tok", "other"))
    create_as("holder", pulls("pulls", "tok"))
    kube.apply(pulls("pulls-most", *(f"s{number}" for number in range(8))))  # the most, as an administrator
    as_plain = ("patch", "modelsync", "pulls", "-n", SPACE, "--type=merge", "--as", "plain", "-p")
    kube.kubectl(*as_plain, '{"spec": {"priority": 3}}')
    create_as("plain", paused("pulls-later"))
    later = json.dumps({"spec": {"podTemplate": {"imagePullSecrets": [{"name": "tok"}]}}})
    with pytest.raises(kube.KubectlError, match=said):
        kube.kubectl("patch", "modelsync", "pulls-later", *as_plain[3:], later)


def test_queue_is_for_those_who_may_use_it_from_their_namespace(users: None) -> None:
    edit = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    subject = {"kind": "User", "name": "editor", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": "edit", "apiGroup": "rbac.authorization.k8s.io"}
    kube.apply(
        {**edit, "metadata": {"name": "editor", "namespace": SPACE}, "roleRef": role, "subjects": [subject]}
    )

    def may(user: str, queue: str) -> bool:
        refusal = asking.create(user, paused("asks", queue=queue))
        assert not refusal or f"spec.queue: you may not use SyncQueue '{queue}' from namespace" in refusal
        return not refusal

    kube.eventually(lambda: not may("plain", "gpu"), 20, "the API server enforces the policy")
    kube.eventually(lambda: may("editor", "default"), 20, "the role edit has the open queue")
    assert [may(*asked) for asked in (("editor", "gpu"), ("member", "gpu"), ("member", "default"))] == [
        False,
        True,
        False,
    ]
    kube.apply(paused("placed", queue="gpu"))
    as_editor = ("patch", "modelsync", "placed", "-n", SPACE, "--type=merge", "--as", "editor", "-p")
    kube.kubectl(*as_editor, '{"spec": {"priority": 3}}')
    kube.kubectl(*as_editor, '{"spec": {"queue": "default"}}')
    with pytest.raises(kube.KubectlError, match="you may not use SyncQueue 'gpu'"):
        kube.kubectl(*as_editor, '{"spec": {"queue": "gpu"}}')


def test_policy_can_be_switched_off(users: None) -> None:
    release.upgrade(NO_OPERATOR, "admissionPolicy.enabled=false")
    kube.eventually(lambda: not refused("stranger"), 20, "the API server forgets the policy")
    create_as("stranger", paused("trusted", source=WITH_SECRET["s3"]))
