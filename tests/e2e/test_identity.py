"""As whom a worker runs, in namespaces that demand another range than the chart's default, as OpenShift."""

import json
from collections.abc import Iterator

import pytest

from dev import kube, kube_api
from dev.origins.hub import HubServer
from tests.e2e import release
from tests.e2e.sources import hub_source

FIRST, LAST = 1000660000, 1000669999
FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 1000}
_OWNERS = """
import json, os
found = {}
for folder, _, names in os.walk("/volume"):
    for name in names:
        status = os.stat(os.path.join(folder, name))
        found[name] = [status.st_uid, status.st_gid]
print(json.dumps(found))
"""


def _policy(space: str, rule: str) -> list[kube.Object]:
    """What plays the cluster's security context constraints in a namespace; it judges Pods alone."""
    group, name = "admissionregistration.k8s.io", f"range-{space}"
    metadata = {"name": name, "labels": kube.OWN}
    here = {"matchLabels": {"kubernetes.io/metadata.name": space}}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    message = f"securityContext: uids and gids of this namespace are {FIRST} to {LAST}"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"namespaceSelector": here, "resourceRules": [pods]},
        "validations": [{"expression": rule, "message": message}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "spec": body}
        for kind, body in (
            ("ValidatingAdmissionPolicy", spec),
            ("ValidatingAdmissionPolicyBinding", binding),
        )
    ]


def _demands(space: str, rule: str) -> None:
    kube.apply(*_policy(space, rule))
    probe = kube.pod_on_claim("probe", space, "models", release.IMAGE, "pass")

    def refused() -> bool:
        try:
            kube.apply(probe, dry_run=True)
        except kube_api.ApiError as error:
            return f"{FIRST} to {LAST}" in str(error)
        return False

    kube.eventually(refused, 20, "the API server enforces the range")


@pytest.fixture
def demanding(space: str) -> Iterator[str]:
    """The test's namespace; what the test makes the cluster demand there goes with it."""
    yield space
    for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
        kube_api.delete(kind, None, f"range-{space}")


_CONTEXT = "object.spec.?securityContext.?"
_WITHIN = " && ".join(
    f"{_CONTEXT}{field}.orValue(0) >= {FIRST} && {_CONTEXT}{field}.orValue(0) <= {LAST}"
    for field in ("runAsUser", "fsGroup")
)
_ABSENT = " && ".join(f"!{_CONTEXT}{field}.hasValue()" for field in ("runAsUser", "runAsGroup", "fsGroup"))


def test_a_modelsync_says_as_whom_its_worker_runs(demanding: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/model", files=FILES)
    _demands(demanding, _WITHIN)
    kube.apply(kube.sync("default", demanding, source))
    waits = kube.wait_for(
        "default", demanding, lambda sync: f"{FIRST} to {LAST}" in json.dumps(sync.get("status", {})), 60
    )
    assert waits["status"]["phase"] == "Queued"
    chosen = {"runAsUser": FIRST + 5, "runAsGroup": FIRST + 6, "fsGroup": FIRST + 7}
    kube.patch("modelsync", "default", demanding, {"spec": {"podTemplate": {"securityContext": chosen}}})
    kube.wait_complete("default", demanding)
    kube_api.delete("ValidatingAdmissionPolicyBinding", None, f"range-{demanding}")
    kube.eventually(lambda: _reads(demanding), 20, "the API server forgets the range")
    found = json.loads(kube.run_on_claim(demanding, "models", release.IMAGE, _OWNERS))
    assert {name: found[name][0] for name in FILES} == dict.fromkeys(FILES, FIRST + 5)


def _reads(space: str) -> bool:
    try:
        kube.apply(kube.pod_on_claim("probe", space, "models", release.IMAGE, "pass"), dry_run=True)
    except kube_api.ApiError:
        return False
    return True


@pytest.mark.alone
@pytest.mark.values(release.UNUSUAL)
def test_what_the_chart_leaves_out_is_left_to_the_namespace(demanding: str, hub: HubServer) -> None:
    source = hub_source(hub, "org/model", files=FILES)
    _demands(demanding, _ABSENT)
    kube.apply(kube.sync("left", demanding, source))
    kube.wait_complete("left", demanding)
