"""The image as it is loaded into clusters: what is in it, and above all what is not."""

import json
import re
import shutil
from urllib.parse import unquote

import pytest

from dev.image import builder as image
from tests.image import contents
from tests.image.contents import PROGRAMS, Image

HOME = "opt/modelsync/lib/python3.13/site-packages/"
STATUS = "var/lib/dpkg/status.d"


@pytest.fixture(scope="module")
def built() -> Image:
    """The image of operator and worker; built if its inputs changed."""
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed: `make setup` installs it")
    return contents.built()


def test_runs_modelsync_as_a_user_without_rights(built: Image) -> None:
    assert built.config["config"]["User"] == "65532:65532"
    assert built.config["config"]["Entrypoint"] == ["modelsync"]
    assert "opt/modelsync/bin/modelsync" in built.files


def test_holds_the_installed_wheel_and_not_the_source_tree(built: Image) -> None:
    assert any(path.startswith(HOME + "modelsync-") and path.endswith("/RECORD") for path in built.files)
    assert HOME + "modelsync/py.typed" in built.files
    assert HOME + "modelsync/__pycache__/__init__.cpython-313.pyc" in built.files
    foreign = ("build", "operator", "requirements", "pyproject.toml", "tests", "etc/pip.conf")
    assert not [path for path in built.files if path.split("/")[0] in foreign or path in foreign]


def test_holds_no_program_but_python_and_modelsync(built: Image) -> None:
    assert built.programs == PROGRAMS


def test_nothing_runs_as_another_user_or_can_be_written_by_all(built: Image) -> None:
    assert built.privileged == []


def test_the_bill_of_materials_names_every_python_and_system_package(built: Image) -> None:
    listed = {unquote(component["purl"].partition("?")[0]) for component in built.sbom["components"]}
    listed.add(built.sbom["metadata"]["component"]["purl"])
    assert built.sbom["bomFormat"] == "CycloneDX"
    wheels = {
        path.removeprefix(HOME).partition("/")[0] for path in built.files if ".dist-info/RECORD" in path
    }
    named = {name.removesuffix(".dist-info").rpartition("-") for name in wheels}
    python = {f"pkg:pypi/{name.lower().replace('_', '-')}@{version}" for name, _, version in named}
    assert {each.replace("_", "-").replace(".", "-") for each in python} <= {
        each.replace("_", "-").replace(".", "-") for each in listed
    }
    described = {path.rsplit("/", 1)[1] for path in built.files if path.startswith(f"{STATUS}/")}
    system = {each.split("/")[2].partition("@")[0] for each in listed if each.startswith("pkg:deb/")}
    assert "libc6" in described and described == system


def test_the_base_is_named_by_its_digest() -> None:
    text = (image.ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG BASE=[a-z0-9.:-]+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)


def test_holds_nothing_of_the_machine_that_built_it(built: Image) -> None:
    described = json.dumps(built.config)
    assert "pip.conf" not in described
    assert not [entry for entry in built.config["config"]["Env"] if entry.startswith(("PIP_", "SSL_"))]
