"""The page of the plugin's screens: `python -m dev.screens` makes it, and each verb is on it."""

import re

from modelsync.cli import commands
from tests.docs.pages import ROOT

(VERBS,) = (section for title, section in commands.SECTIONS.items() if "kubectl modelsync" in title)


def test_each_verb_of_the_plugin_has_a_screen() -> None:
    page = (ROOT / "docs/reference/kubectl-screens.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## ([a-z]+)", page, re.M)) == set(VERBS)
    assert not re.search(r"token=[\w-]", page)
