"""As whom the plugin asks: `as` of a kubeconfig's user and the options, as kubectl puts them together."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelsync.kubectl import connection
from modelsync.kubectl.connection import ConnectionOptions
from modelsync.kubectl.problems import CommandError

_USER = {"as": "ann", "as-groups": ["dev", "ops"], "as-uid": "7", "as-user-extra": {"Reason/x": ["a", "b"]}}
_EXTRA = [("Impersonate-Extra-reason%2Fx", "a"), ("Impersonate-Extra-reason%2Fx", "b")]
_GROUPS = [("Impersonate-Group", "dev"), ("Impersonate-Group", "ops")]
_CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = {
    "nobody": ({}, {}, []),
    "all of the kubeconfig": (
        _USER,
        {},
        [("Impersonate-User", "ann"), *_GROUPS, ("Impersonate-Uid", "7"), *_EXTRA],
    ),
    "an option replaces the user and keeps the groups": (
        {"as": "ann", "as-groups": ["dev", "ops"]},
        {"as_user": "bob"},
        [("Impersonate-User", "bob"), *_GROUPS],
    ),
    "an option replaces the groups": (
        {"as": "ann", "as-groups": ["dev", "ops"]},
        {"as_groups": ("qa",)},
        [("Impersonate-User", "ann"), ("Impersonate-Group", "qa")],
    ),
}


def _kubeconfig(folder: Path, user: dict[str, Any]) -> str:
    document = {
        "current-context": "other",
        "contexts": [
            {"name": "other", "context": {"cluster": "one", "user": "other"}},
            {"name": "one", "context": {"cluster": "one", "user": "one", "namespace": "team"}},
        ],
        "clusters": [{"name": "one", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "other", "user": {"as": "somebody"}}, {"name": "one", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("case", _CASES)
def test_who_is_impersonated(case: str, tmp_path: Path) -> None:
    user, given, headers = _CASES[case]
    options = ConnectionOptions(kubeconfig=_kubeconfig(tmp_path, user), context="one", **given)
    found = connection.connect(options)
    assert list(found.impersonation) == headers and found.namespace == "team"


@pytest.mark.parametrize("user", [{"as-groups": ["dev"]}, {"as-uid": "7"}, {"as-user-extra": {"a": ["b"]}}])
def test_groups_without_a_user_are_refused(user: dict[str, Any], tmp_path: Path) -> None:
    options = ConnectionOptions(kubeconfig=_kubeconfig(tmp_path, user), context="one")
    with pytest.raises(CommandError, match="set --as"):
        connection.connect(options)


def test_the_contexts_of_a_broken_kubeconfig_are_none(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("{", encoding="utf-8")
    assert connection.contexts(str(broken)) == []
