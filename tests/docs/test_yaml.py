"""Every YAML of the documentation and the examples fits what it is for."""

from typing import Any

import pytest
import yaml

from modelsync.api import naming
from tests.docs import schemas
from tests.docs.pages import ROOT, blocks

FOREIGN = {
    "env": "a part of the reader's own Pod",
    "scrape_configs": "a part of Prometheus' configuration",
}
"""Blocks by their first key that no schema of ours describes, and why."""
DOCUMENTS = {
    f"{block.page} {index}": document
    for index, block in enumerate(blocks("yaml"))
    for document in yaml.safe_load_all(block.text)
}
EXAMPLES = {
    f"{path.name} {found['kind']}": found
    for path in sorted((ROOT / "examples").glob("*.yaml"))
    for found in yaml.safe_load_all(path.read_text())
}


def _errors(document: dict[str, Any]) -> list[str]:
    if document.get("apiVersion") == naming.API_VERSION:
        return schemas.errors(document["kind"], document)
    if document.get("kind") == "OperatorConfiguration":
        return schemas.errors_of_configuration(document)
    if set(document) == {"spec"}:
        return schemas.errors("ModelSync", document, partial=True)
    if set(document) <= set(schemas.DEFAULTS):
        return schemas.errors_of_values(document)
    known = "kind" in document or next(iter(document)) in FOREIGN
    return [] if known else [f"nothing describes {next(iter(document))}"]


@pytest.mark.parametrize("name", [*DOCUMENTS, *EXAMPLES])
def test_yaml_fits_its_schema(name: str) -> None:
    assert _errors({**DOCUMENTS, **EXAMPLES}[name]) == []


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"spec": {"suspended": True}}, id="an unknown field"),
        pytest.param({"spec": {"priority": "high"}}, id="a word for a number"),
        pytest.param({"config": {"worker": {"adresses": {}}}}, id="an unknown value of the chart"),
        pytest.param({"worker": {"addresses": {}}}, id="a field of the configuration without its place"),
        pytest.param(
            {"kind": "OperatorConfiguration", "worker": {"adresses": {}}}, id="an unknown field there"
        ),
        pytest.param({"volumeMounts": []}, id="something that nothing describes"),
        pytest.param(
            {"apiVersion": naming.API_VERSION, "kind": "ModelSync", "spec": {"source": {}}}, id="no target"
        ),
    ],
)
def test_what_does_not_fit_is_found(document: dict[str, Any]) -> None:
    assert _errors(document)
