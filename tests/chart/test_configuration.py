"""The chart's value `config`: each field reaches the operator, and what moved is refused with its place."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from modelsync.cli import operator
from modelsync.settings import configuration, invocation, moved
from tests.chart import helm, rendered
from tests.settings import documents


def test_operator_accepts_the_flags_and_the_configuration_of_the_chart() -> None:
    objects = helm.template("watch.namespaces={a,b}")
    (deployment,) = helm.of_kind(objects, "Deployment")
    name, *args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert name == "operator"
    context = operator.command.make_context("operator", args)
    started = invocation.read(**context.params, environment={})
    assert (started.namespaces, started.operator_namespace) == (("a", "b"), "modelsync-system")
    found = rendered.configured(objects)
    mine = documents.configured({"worker.image": found.worker.image})
    assert found == mine, "values.yaml has the model's defaults"


def test_schema_of_a_document_accepts_what_the_chart_makes_and_refuses_what_is_no_field() -> None:
    schema = json.loads(Path("docs/reference/operator-configuration.schema.json").read_text())
    found = yaml.safe_load(rendered.document(helm.template()))
    jsonschema.validate(found, schema)
    wrongs: list[dict[str, Any]] = [{"kind": "ConfigMap"}, {"limits": {"bandwidth": 1}}, {"worker": {}}]
    for wrong in wrongs:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**found, **wrong}, schema)


OTHER_VALUES = {
    "log.level": "debug",
    "log.format": "text",
    "limits.statusWritesPerSecond": "7",
    "resyncInterval": "7m",
    "leaderElection.leaseDuration": "17s",
    "leaderElection.renewDeadline": "11s",
    "leaderElection.retryPeriod": "3s",
    "metrics.port": "9090",
    "health.port": "9092",
    "hub.endpoint": "https://hub.example.org",
    "attempts.disabled": "true",
    "attempts.retryBase": "7s",
    "attempts.startDeadline": "7m",
    "presets.mine.allowPatterns": "{*.bin}",
    "worker.image": "registry.example.org/modelsync:7",
    "worker.imagePullPolicy": "Always",
    "worker.progressVia": "APIServerProxy",
    "worker.logLevel": "debug",
    "worker.engines": "{Native}",
    "worker.caConfigMap": "authorities",
    "worker.proxy.http": "http://proxy:3128",
    "worker.proxy.https": "http://proxy:3128",
    "worker.proxy.noProxy": "{hub,.svc}",
    "worker.addresses.allowed": "{10.1.0.0/16,fd01::/64}",
    "worker.addresses.denied": "{10.0.0.0/8}",
    "worker.connections": "7",
    "worker.chunk": "7Mi",
    "worker.maxRetries": "0",
    "worker.timeout": "7s",
    "worker.resources.requests.cpu": "7m",
    "worker.resources.limits.memory": "null",
    "worker.maxResources.cpu": "null",
    "worker.priorityClasses": "{high}",
    "worker.serviceAccounts": "{nfs}",
    "history.reader": "system:serviceaccount:elsewhere:page",
    "worker.runtimeClasses": "{gvisor}",
    "worker.securityContext.fsGroup": "null",
    "worker.ids": "{1000660000-1000669999}",
}


def test_every_field_can_be_set_by_a_value_and_restarts_the_operator_only_where_it_must() -> None:
    """All renderings in one table: a change of each field, and what of the Deployment changes with it."""
    fields = dict(configuration.fields())
    assert {
        next(f for f in fields if f"{path}.".startswith(f"{f}.")) for path in OTHER_VALUES
    } == fields.keys()
    settings = [f"config.{path}={value}" for path, value in OTHER_VALUES.items()]
    restarting = [
        setting
        for setting in settings
        if configuration.needs_restart(
            next(
                info
                for path, info in fields.items()
                if f"{setting[7:]}.".startswith((f"{path}=", f"{path}."))
            )
        )
    ]
    before, live = helm.template(), helm.template(*(each for each in settings if each not in restarting))
    assert helm.of_kind(before, "Deployment") == helm.of_kind(live, "Deployment")
    changed = rendered.configured(helm.template(*settings))
    same = [
        path
        for path in fields
        if configuration.value_at(changed, path) == configuration.value_at(rendered.configured(before), path)
    ]
    assert same == []
    for setting in restarting:
        assert checksum(helm.template(setting)) != checksum(before), setting


def checksum(objects: list[dict[str, Any]]) -> str:
    (deployment,) = helm.of_kind(objects, "Deployment")
    text: str = deployment["spec"]["template"]["metadata"]["annotations"]["checksum/restart-settings"]
    return text


MOVED = {
    **{f"{name}=7": to for name, to in moved.VALUES.items() if name.startswith("config.")},
    "worker.addresses.allowed={10.0.0.0/8}": "config.worker",
    "worker.image.tag=v2": "config.worker",
    "presets.mine.allowPatterns={*}": "config.presets",
}
"""Values that were once, and where they are now."""


@pytest.mark.parametrize("setting", MOVED)
def test_a_value_that_moved_is_refused_with_its_place(setting: str) -> None:
    name = setting.partition("=")[0]
    was = name.replace(".", "/") if name.startswith("config.") else name.partition(".")[0]
    said = f"at '/{was}': value must be 'moved: set {MOVED[setting]}"
    found = helm.complaints(tuple(MOVED))
    assert any(said in line for line in found), found


def test_ports_of_the_configuration_are_those_of_the_pod() -> None:
    objects = helm.template("config.metrics.port=9090", "config.health.port=9092")
    (deployment,) = helm.of_kind(objects, "Deployment")
    ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert {port["name"]: port["containerPort"] for port in ports} == {"metrics": 9090, "health": 9092}
