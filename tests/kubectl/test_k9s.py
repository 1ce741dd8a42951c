"""The k9s plugin file: fields that k9s knows, keys that are free, and commands that this program has."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelsync.cli import commands

_FILE = Path(__file__).resolve().parents[2] / "examples/k9s/plugins.yaml"
_PLUGINS: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))["plugins"]
_REQUIRED = {"shortCut", "description", "scopes", "command"}
_KNOWN = _REQUIRED | {"args", "background", "confirm", "dangerous", "override", "overwriteOutput"}
"""Of k9s' schema of plugins."""
_TAKEN = {f"Shift-{letter}" for letter in "ANOPS"}
"""Keys of k9s in every list: sort by age, name, the chosen column, namespace, status."""
_VARIABLES = {"$NAME", "$NAMESPACE", "$CONTEXT"}


@pytest.mark.parametrize("name", _PLUGINS)
def test_k9s_understands_a_plugin_and_it_runs_a_verb_that_is_there(name: str) -> None:
    plugin = _PLUGINS[name]
    assert _REQUIRED <= plugin.keys() <= _KNOWN and plugin["scopes"] == ["modelsyncs"]
    words = " ".join(plugin["args"]).split("kubectl modelsync ")[-1].removeprefix("modelsync ").split()
    assert words[0] in commands.FOR_PEOPLE
    used = {word for word in plugin["args"] if word.startswith("$")}
    assert {"$NAMESPACE", "$CONTEXT"} <= used <= _VARIABLES
    acts = words[0] in ("pause", "resume", "retry", "cancel")
    assert plugin.get("dangerous", False) is acts and plugin.get("confirm", False) is (words[0] == "cancel")


def test_every_key_is_free() -> None:
    keys = [plugin["shortCut"] for plugin in _PLUGINS.values()]
    assert len(set(keys)) == len(keys) and not set(keys) & _TAKEN
