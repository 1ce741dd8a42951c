"""What `check` says of an installation: versions, Pods and images, each with what to do."""

import copy
from typing import Any

import pytest

import modelsync
from modelsync.api import crd
from modelsync.kubectl.verbs import installation

_IMAGE = "example.org/modelsync:1.2.3"


def _deployment(
    *, image: str = _IMAGE, version: str | None = modelsync.__version__, replicas: int = 1, ready: int = 1
) -> dict[str, Any]:
    container = {"name": "main", "image": image, "args": ["operator", "--config=/etc/modelsync/config.yaml"]}
    volumes = [{"name": "tmp"}, {"name": "config", "configMap": {"name": "modelsync-config"}}]
    labels = {} if version is None else {installation.VERSION_LABEL: version}
    return {
        "metadata": {"namespace": "system", "name": "modelsync", "labels": labels},
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [container], "volumes": volumes}},
        },
        "status": {"availableReplicas": ready},
    }


_CASES: dict[str, tuple[dict[str, Any], str | None, list[tuple[bool | None, str]]]] = {
    "all well": ({}, "worker: {}", [(True, ""), (True, "1 of 1 Pods"), (True, "for operator and workers")]),
    "workers of the same image": (
        {},
        f"worker: {{image: '{_IMAGE}'}}",
        [(True, ""), (True, ""), (True, _IMAGE)],
    ),
    "workers of another image": (
        {},
        "worker: {image: 'example.org/modelsync:1.0.0'}",
        [(True, ""), (True, ""), (False, "leave config.worker.image empty")],
    ),
    "an older operator": (
        {"version": "0.0.9"},
        "{}",
        [(False, "the operator is 0.0.9 and this plugin"), (True, ""), (True, "")],
    ),
    "no label": ({"version": None}, "{}", [(None, "not installed by the chart"), (True, ""), (True, "")]),
    "no Pod": ({"ready": 0}, "{}", [(True, ""), (False, "kubectl describe pods -n system"), (True, "")]),
    "no replica": (
        {"replicas": 0, "ready": 0},
        "{}",
        [(True, ""), (False, "set replicaCount"), (True, "")],
    ),
    "a tag that moves": (
        {"image": "example.org:5000/modelsync:latest"},
        "{}",
        [(True, ""), (True, ""), (False, "can change its meaning")],
    ),
    "no tag": ({"image": "example.org:5000/modelsync"}, "{}", [(True, ""), (True, ""), (False, "image.tag")]),
    "a digest": ({"image": "example.org/modelsync@sha256:ab"}, "{}", [(True, ""), (True, ""), (True, "")]),
    "a configuration that may not be read": ({}, None, [(True, ""), (True, ""), (None, "may not read")]),
    "a configuration that is none": ({}, "{", [(True, ""), (True, ""), (None, "may not read")]),
}


@pytest.mark.parametrize("case", _CASES)
def test_versions_pods_and_images_are_compared(case: str) -> None:
    given, config, wanted = _CASES[case]
    found = list(installation.deployment_findings(_deployment(**given), config))
    assert [one.well for one in found] == [well for well, _ in wanted]
    assert all(words in one.text for one, (_, words) in zip(found, wanted, strict=True))


def test_only_the_operator_is_one_of_the_deployments() -> None:
    web = _deployment()
    web["spec"]["template"]["spec"]["containers"][0]["args"] = ["web"]
    assert installation.is_operator(_deployment()) and not installation.is_operator(web)
    assert installation.config_map_of(_deployment()) == "modelsync-config"


def _without(field: str, definition: dict[str, Any]) -> dict[str, Any]:
    cut = copy.deepcopy(definition)
    schema = cut["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"][field]
    return cut


def test_a_definition_of_another_version_is_found_by_its_fields() -> None:
    ours = crd.sync_crd()
    older = _without("bandwidthLimit", ours)
    assert installation.schema_finding(ours, ours, "ModelSync").well is True
    lacks = installation.schema_finding(older, ours, "ModelSync")
    assert (
        lacks.well is False and "it lacks spec.bandwidthLimit, which" in lacks.text and "helm" in lacks.text
    )
    newer = installation.schema_finding(ours, _without("source", ours), "ModelSync")
    assert newer.well is False and "it has spec.source, which" in newer.text
    assert "install the plugin of the operator's version" in newer.text
