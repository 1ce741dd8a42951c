"""The chart's admission policies as rendered: who is meant, and where. Their effect is tried on a cluster."""

from typing import Any

import pytest

from modelsync.core.cluster import snapshot
from tests.chart import helm

OPERATOR = "system:serviceaccount:modelsync-system:modelsync"


def policies(*settings: str) -> dict[str, dict[str, Any]]:
    """The policies' specs by name, without the chart's suffix."""
    found = helm.of_kind(helm.template(*settings), "ValidatingAdmissionPolicy")
    return {one["metadata"]["name"].partition(".")[0]: one["spec"] for one in found}


def test_every_policy_denies_and_is_bound_and_all_can_be_left_out() -> None:
    bindings = helm.of_kind(helm.template(), "ValidatingAdmissionPolicyBinding")
    assert {one["spec"]["policyName"].partition(".")[0] for one in bindings} == policies().keys()
    assert all(one["spec"]["validationActions"] == ["Deny"] for one in bindings)
    assert {"modelsync-jobs", "modelsync-pods", "modelsync-operator"} <= policies().keys()
    assert policies("admissionPolicy.enabled=false") == {}


def test_the_operators_policy_protects_the_namespaces_that_the_operator_does() -> None:
    rules = [rule["expression"] for rule in policies()["modelsync-operator"]["validations"]]
    (said,) = [rule for rule in rules if "kube-system" in rule]
    for namespace in snapshot.PROTECTED_NAMESPACES | {"modelsync-system"}:
        assert f"'{namespace}'" in said


@pytest.mark.parametrize(
    ("settings", "user"),
    [
        ((), OPERATOR),
        (
            ("serviceAccount.create=false", "serviceAccount.name=mine"),
            "system:serviceaccount:modelsync-system:mine",
        ),
    ],
)
def test_the_operator_is_known_by_its_service_account(settings: tuple[str, ...], user: str) -> None:
    (condition,) = policies(*settings)["modelsync-operator"]["matchConditions"]
    assert condition["expression"] == f'request.userInfo.username == "{user}"'
    for kind in ("jobs", "pods"):
        spec = policies(*settings, "admissionPolicy.operators={bob}")[f"modelsync-{kind}"]
        (condition,) = spec["matchConditions"]
        assert f'in ["{user}","bob"]' in condition["expression"]


def test_only_the_watched_namespaces_are_asked_about() -> None:
    found = policies("watch.namespaces={a,b}")["modelsync-pods"]["matchConstraints"]["namespaceSelector"]
    assert found["matchExpressions"][0]["values"] == ["a", "b"]
    assert policies()["modelsync-jobs"]["matchConstraints"]["namespaceSelector"] == {}
