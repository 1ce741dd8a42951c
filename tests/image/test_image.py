"""The image as it is loaded into clusters: what is in it, and above all what is not."""

import gzip
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from typing import Any

import pytest

from dev import image

HOME = "opt/modelsync/lib/python3.13/site-packages/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An OCI image: its configuration and the paths of all layers."""

    config: dict[str, Any]
    paths: frozenset[str]


@pytest.fixture(scope="module")
def built() -> Image:
    """The image of operator and worker; built if its inputs changed."""
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed: `make setup` installs it")
    with tarfile.open(image.build()) as archive:

        def blob(digest: str) -> bytes:
            file = archive.extractfile("blobs/" + digest.replace(":", "/"))
            assert file is not None
            return file.read()

        index = archive.extractfile("index.json")
        assert index is not None
        manifest = json.loads(blob(json.load(index)["manifests"][0]["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        paths = [path for layer in manifest["layers"] for path in _paths(blob(layer["digest"]))]
    return Image(config=config, paths=frozenset(paths))


def _paths(layer: bytes) -> list[str]:

    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as files:
        return [path.removeprefix("./") for path in files.getnames()]


def test_runs_modelsync_as_a_user_without_rights(built: Image) -> None:
    assert built.config["config"]["User"] == "65532:65532"
    assert built.config["config"]["Entrypoint"] == ["modelsync"]
    assert "opt/modelsync/bin/modelsync" in built.paths


def test_holds_the_installed_wheel_and_not_the_source_tree(built: Image) -> None:
    assert any(path.startswith(HOME + "modelsync-") and path.endswith("/RECORD") for path in built.paths)
    assert HOME + "modelsync/py.typed" in built.paths
    assert HOME + "modelsync/__pycache__/__init__.cpython-313.pyc" in built.paths
    foreign = ("build", "operator", "requirements", "pyproject.toml", "tests", "etc/pip.conf")
    assert not [path for path in built.paths if path.split("/")[0] in foreign or path in foreign]


@pytest.mark.parametrize("name", ["cc", "gcc", "ld", "make", "pip", "pip3", "git", "curl", "wget"])
def test_holds_no_tool_to_build_or_fetch_with(built: Image, name: str) -> None:
    assert not [path for path in built.paths if path.endswith((f"/bin/{name}", f"/sbin/{name}"))]


def test_holds_nothing_of_the_machine_that_built_it(built: Image) -> None:
    described = json.dumps(built.config)
    assert "pip.conf" not in described
    assert not [entry for entry in built.config["config"]["Env"] if entry.startswith(("PIP_", "SSL_"))]
