"""Real Helm, on the chart as it is in the repository."""

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = "charts/modelsync"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML has it: twenty times as fast, and this is most of a rendering's time."""


def binary() -> str:
    """Where Helm is: on the PATH, or in the cache into which `make cluster` builds it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelsync/bin/helm"
    found = shutil.which("helm") or (str(cache) if cache.exists() else None)
    if found is None:
        pytest.skip("helm is not built yet: `make cluster` builds it")
    return found


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """Run Helm; the caller looks at the exit code."""
    return subprocess.run([binary(), *args], capture_output=True, text=True, timeout=120, check=False)


def template(*settings: str, definitions: bool = False) -> list[dict[str, Any]]:
    """All objects of the chart with some `--set` values, in namespace `modelsync-system`; not to be changed.

    Without the definitions, which are half of a rendering's time, unless it is said that they are needed.
    """
    return _rendered(settings if definitions else ("crds.enabled=false", *settings))


@functools.cache
def _rendered(settings: tuple[str, ...]) -> list[dict[str, Any]]:
    done = run("template", "modelsync", CHART, "-n", "modelsync-system", *_given(settings))
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.load_all(done.stdout, _LOADER) if found]


@functools.cache
def complaints(settings: tuple[str, ...]) -> list[str]:
    """What the schema of the values says of some of them, which it says of all at once; a line for each."""
    done = run("template", "modelsync", CHART, *_given(settings))
    assert done.returncode != 0
    assert "the specifications of the schema" in done.stderr, done.stderr
    return [line.strip(" -") for line in done.stderr.splitlines()]


def _given(settings: tuple[str, ...]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def printing_notes(folder: Path) -> Path:
    """A copy of the chart in a folder, which renders its notes as an object and has no definitions."""
    chart = Path(shutil.copytree(CHART, folder / "modelsync", ignore=shutil.ignore_patterns("crds")))
    text = (chart / "templates/NOTES.txt").read_text()
    body = '{{- define "notes" }}' + text + '{{ end }}\nnotes: {{ include "notes" . | toJson }}\n'
    (chart / "templates/printed.yaml").write_text(body)
    return chart


def notes(chart: Path, *settings: str) -> str:
    """What Helm prints after an installation with some `--set` values; `chart` is of `printing_notes`."""
    where = ("-n", "modelsync-system", "--show-only", "templates/printed.yaml")
    done = run("template", "modelsync", str(chart), *where, *_given(settings))
    assert done.returncode == 0, done.stderr
    return str(yaml.safe_load(done.stdout)["notes"])


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The objects of one kind."""
    return [found for found in objects if found["kind"] == kind]
