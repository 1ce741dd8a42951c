"""The page of the chart's values, from the comments of values.yaml.

The comments are where a user of Helm looks first (`helm show values`), so they are the source, and the page
is a view of them. A comment that begins with `# --` tells the value below it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dev.docs import markdown

VALUES = Path(__file__).resolve().parents[2] / "charts" / "modelsync" / "values.yaml"
_KEY = re.compile(r"( *)([A-Za-z]\w*):")
_TOLD = re.compile(r" *# -- (.*)")
_INTRODUCTION = """
# Values of the Helm chart

Set them with `--set` or in a file for `--values`; how to install is told in [install](../howto/install.md). A
name that is not here is refused, and so is a value of the wrong type or out of range. An object replaces
nothing: Helm merges what you give into the default. To take a default key away, set it to `null`.

"""


def page() -> str:
    """The whole page."""
    rows = [(f"`{path}`", f"`{json.dumps(default)}`", text) for path, default, text in told()]
    return markdown.MADE + _INTRODUCTION + markdown.table(("value", "default", "meaning"), rows)


def told() -> Iterator[tuple[str, Any, str]]:
    """Path, default and meaning of every value that has a comment, in the file's order."""
    text = VALUES.read_text(encoding="utf-8")
    parents: list[tuple[int, str]] = []
    words: list[str] = []
    for line in text.splitlines():
        if comment := _TOLD.match(line):
            words.append(comment[1].strip())
        elif key := _KEY.match(line):
            parents = [*(one for one in parents if one[0] < len(key[1])), (len(key[1]), key[2])]
            path = [name for _, name in parents]
            if words:
                yield ".".join(path), _default(yaml.safe_load(text), path), " ".join(words)
            words = []


def _default(values: Any, path: list[str]) -> Any:
    for name in path:
        values = values[name]
    return values
