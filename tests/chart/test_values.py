"""The chart's values: bad ones are refused by their place, and each is read and described."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.docs import chart_values
from tests.chart import helm

_NAME = "does not match pattern"
BAD_VALUES = {
    "words for a number": ("replicaCount=two", "at '/replicaCount': got string, want integer"),
    "an unknown value": ("replicas=2", "at '': additional properties 'replicas' not allowed"),
    "an unknown pull policy": ("image.pullPolicy=Sometimes", "at '/image/pullPolicy': value must be one of"),
    "half a digest": ("image.digest=sha256:1", f"at '/image/digest': 'sha256:1' {_NAME}"),
    "a negative limit": ("queues.default.maxActive=-1", "at '/queues/default/maxActive': minimum: got -1"),
    "no slot at all": (
        "queues.default.maxActivePerNamespace=0",
        "at '/queues/default/maxActivePerNamespace': minimum: got 0",
    ),
    "a bound above all priorities": (
        "queues.default.maxPriority=1001",
        "at '/queues/default/maxPriority': maximum: got 1,001",
    ),
    "no time": (
        "queues.default.activeDeadlineSeconds=0",
        "at '/queues/default/activeDeadlineSeconds': minimum: got 0",
    ),
    "a speed in words": (
        "queues.default.minimumRate=fast",
        f"at '/queues/default/minimumRate': 'fast' {_NAME}",
    ),
    "an unknown field of a queue": (
        "queues.default.maxRate=1",
        "at '/queues/default': additional properties 'maxRate' not allowed",
    ),
    "a queue name in capitals": ("queues.Queue.maxActive=1", f"at '': 'Queue' {_NAME}"),
    "a queue in capitals that is open": (
        "queueAccess.open={Open}",
        f"at '/queueAccess/open/0': 'Open' {_NAME}",
    ),
    "an unknown log level": ("config.log.level=loud", "at '/config/log/level': value must be one of"),
    "an endpoint that is no URL": ("config.hub.endpoint=hub", f"at '/config/hub/endpoint': 'hub' {_NAME}"),
    "a preset in capitals": ("config.presets.Preset.allowPatterns={*}", f"at '': 'Preset' {_NAME}"),
    "a preset with an unknown list": (
        "config.presets.mine.allow={*}",
        "at '/config/presets/mine': additional properties 'allow' not allowed",
    ),
    "a namespace in capitals": ("watch.namespaces={A}", f"at '/watch/namespaces/0': 'A' {_NAME}"),
    "too many connections": (
        "config.worker.connections=100",
        "at '/config/worker/connections': maximum: got 100",
    ),
    "an unknown resource": ("config.worker.maxResources.gpu=1", "invalid propertyName 'gpu'"),
    "an amount in words": (
        "config.worker.maxResources.cpu=many",
        f"at '/config/worker/maxResources/cpu': 'many' {_NAME}",
    ),
    "a class in capitals": (
        "config.worker.priorityClasses={High}",
        f"at '/config/worker/priorityClasses/0': 'High' {_NAME}",
    ),
    "an interval in words": (
        "metrics.serviceMonitor.interval=fast",
        f"at '/metrics/serviceMonitor/interval': 'fast' {_NAME}",
    ),
    "a user that would break a policy's expression": (
        "admissionPolicy.operators={a'b}",
        f"at '/admissionPolicy/operators/0': 'a\\'b' {_NAME}",
    ),
    "a host in capitals": ("web.hosts={Bad_Host}", f"at '/web/hosts/0': 'Bad_Host' {_NAME}"),
    "a port of the page": ("web.port=1", "at '/web': additional properties 'port' not allowed"),
}
"""By what is wrong: a value, and the beginning of what the schema says of it."""


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_values_are_refused_and_named(case: str) -> None:
    _, said = BAD_VALUES[case]
    found = helm.complaints(tuple(setting for setting, _ in BAD_VALUES.values()))
    assert any(said in line for line in found), found


def test_no_service_account_at_all_is_refused() -> None:
    done = helm.run("template", "modelsync", helm.CHART, "--set", "serviceAccount.create=false")
    assert done.returncode != 0
    assert "serviceAccount.name" in done.stderr


def test_every_value_is_read_by_a_template() -> None:
    values = yaml.safe_load(Path("charts/modelsync/values.yaml").read_text())
    read = "".join(path.read_text() for path in Path("charts/modelsync/templates").iterdir())
    for name, value in values.items():
        assert f".Values.{name}" in read, name
        for inner in value if isinstance(value, dict) and name in ("crds", "rbac") else ():
            assert f".Values.{name}.{inner}" in read, f"{name}.{inner}"


def leaves(value: Any, path: str = "") -> list[str]:
    """Paths of all values that are no maps; an empty map is a value."""
    if not isinstance(value, dict) or not value:
        return [path]
    return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}" if path else key)]


def test_every_value_is_described() -> None:
    paths = [path for path, _, _ in chart_values.described()]
    values = yaml.safe_load(chart_values.VALUES.read_text())
    undescribed = [
        leaf for leaf in leaves(values) if not any(f"{leaf}.".startswith(f"{path}.") for path in paths)
    ]
    assert undescribed == []
