"""The REST API's part of the chart: nothing unless asked for, no right, and no door that was not opened."""

import pytest

from tests.chart import helm

ON = "web.enabled=true"
ROLES = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


def names(kind: str, *settings: str) -> set[str]:
    return {each["metadata"]["name"] for each in helm.of_kind(helm.template(*settings), kind)}


def test_it_is_off_by_default() -> None:
    assert not [each for each in helm.template() if each["metadata"]["name"].endswith("-web")]


def test_it_has_no_right_and_no_token_and_is_restricted() -> None:
    for kind in ROLES:
        assert names(kind, ON) == names(kind)
    objects = helm.template(ON)
    accounts = {each["metadata"]["name"]: each for each in helm.of_kind(objects, "ServiceAccount")}
    bindings = [each for kind in ROLES[2:] for each in helm.of_kind(objects, kind)]
    subjects = {subject["name"] for each in bindings for subject in each["subjects"]}
    assert "modelsync-web" in accounts.keys() - subjects
    found = helm.of_kind(objects, "Deployment")
    (web,) = [each for each in found if each["metadata"]["name"].endswith("-web")]
    pod = web["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    operator = next(each for each in found if each is not web)
    assert container["image"] == operator["spec"]["template"]["spec"]["containers"][0]["image"]


@pytest.mark.parametrize(
    ("setting", "argument"),
    [
        ("web.readOnly=true", "--read-only"),
        ("web.hosts={models.example.org}", "--allowed-host=models.example.org"),
        ("web.tokenHeader=X-Forwarded-Access-Token", "--token-header=X-Forwarded-Access-Token"),
        ("watch.namespaces={a}", "--namespace=a"),
    ],
)
def test_settings_reach_the_command(setting: str, argument: str) -> None:
    for given, wanted in ((ON, False), (f"{ON},{setting}", True)):
        found = helm.of_kind(helm.template(given), "Deployment")
        (web,) = [each for each in found if each["metadata"]["name"].endswith("-web")]
        assert (argument in web["spec"]["template"]["spec"]["containers"][0]["args"]) is wanted


def test_nobody_connects_who_was_not_let_in_and_only_to_its_pods() -> None:
    policies = {each["metadata"]["name"]: each for each in helm.of_kind(helm.template(ON), "NetworkPolicy")}
    closed = policies["modelsync-web"]["spec"]
    assert closed["ingress"] == []
    assert closed["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "web"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("web.ingress.enabled=true", "web.hosts"),
        ("web.httpRoute.enabled=true", "web.httpRoute"),
        ("web.hosts={Bad_Host}", "hosts"),
        ("web.port=1", "port"),
    ],
)
def test_what_cannot_work_is_refused(settings: str, said: str) -> None:
    done = helm.run("template", "modelsync", helm.CHART, "--set", f"{ON},{settings}")
    assert done.returncode != 0 and said in done.stderr


def test_ingress_and_route_lead_to_its_service() -> None:
    route = "web.httpRoute.enabled=true,web.httpRoute.parentRefs[0].name=gate"
    objects = helm.template(f"{ON},web.hosts={{models.example.org}},web.ingress.enabled=true,{route}")
    (ingress,) = helm.of_kind(objects, "Ingress")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["models.example.org"]
    (found,) = helm.of_kind(objects, "HTTPRoute")
    assert found["spec"]["rules"][0]["backendRefs"] == [{"name": "modelsync-web", "port": 80}]
