"""A real API server accepts every example, and every ModelSync in the documentation."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelsync.api import naming
from tests.api import proof

pytestmark = proof.NEEDS_CLUSTER
ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _objects(text: str) -> list[Any]:
    return [
        found for found in yaml.safe_load_all(text) if found and found.get("apiVersion") == naming.API_VERSION
    ]


EXAMPLES = {
    f"{path.stem} {found['kind']}": found
    for path in sorted((ROOT / "examples").glob("*.yaml"))
    for found in _objects(path.read_text(encoding="utf-8"))
}
BLOCKS = {
    f"{path.stem} {index}": found
    for path in PAGES
    for index, block in enumerate(
        re.findall(r"```yaml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    )
    if naming.API_VERSION in block
    for found in _objects(block)
}


@pytest.mark.parametrize("name", [*EXAMPLES, *BLOCKS])
def test_an_example_is_accepted(api: proof.Proof, name: str) -> None:
    found = EXAMPLES.get(name) or BLOCKS[name]
    api.create(found["kind"], found.get("spec"), name=found["metadata"]["name"])


def test_there_is_an_example_of_each_source() -> None:
    sources = {
        next(iter(found["spec"]["source"]))
        for found in EXAMPLES.values()
        if found["kind"] == naming.SYNC_KIND
    }
    assert sources == {"huggingFace", "s3", "http"}
