"""Real Helm, on the chart as it is in the repository."""

import copy
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


def template(*settings: str) -> list[dict[str, Any]]:
    """All objects of the chart with some `--set` values, in namespace `modelsync-system`."""
    return copy.deepcopy(_rendered(settings))


@functools.lru_cache(maxsize=8)  # some megabytes each
def _rendered(settings: tuple[str, ...]) -> list[dict[str, Any]]:
    words = [word for setting in settings for word in ("--set", setting)]
    done = run("template", "modelsync", CHART, "-n", "modelsync-system", *words)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.load_all(done.stdout, _LOADER) if found]


def notes(chart: Path, *settings: str) -> str:
    """What Helm would print after an installation with some `--set` values; `chart` is a copy to change."""
    text = (chart / "templates/NOTES.txt").read_text()
    body = '{{- define "notes" }}' + text + '{{ end }}\nnotes: {{ include "notes" . | toJson }}\n'
    (chart / "templates/printed.yaml").write_text(body)
    words = [word for setting in settings for word in ("--set", setting)]
    where = ("-n", "modelsync-system", "--show-only", "templates/printed.yaml")
    done = run("template", "modelsync", str(chart), *where, *words)
    assert done.returncode == 0, done.stderr
    return str(yaml.safe_load(done.stdout)["notes"])


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The objects of one kind."""
    return [found for found in objects if found["kind"] == kind]
