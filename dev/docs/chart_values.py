"""The page of the chart's values, from the comments of values.yaml.

The comments are where a user of Helm looks first (`helm show values`), so they are the source, and the page
is a view of them. A comment that begins with `# --` describes the value below it.
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
_COMMENT = re.compile(r" *# -- (.*)")
_INTRODUCTION = """
# Values of the Helm chart

Every value of the chart. Set them with `--set` or in a file for `--values` ([install](../howto/install.md)).
Unknown names and invalid values are refused. Helm merges maps with the defaults; set a key to `null` to
remove it.

"""


def page() -> str:
    """The whole page."""
    rows = [(f"`{path}`", f"`{json.dumps(default)}`", text) for path, default, text in described()]
    return markdown.MADE + _INTRODUCTION + markdown.table(("value", "default", "meaning"), rows)


def described() -> Iterator[tuple[str, Any, str]]:
    """Path, default and meaning of every value that has a comment, in the file's order."""
    text = VALUES.read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    parents: list[tuple[int, str]] = []
    words: list[str] = []
    for line in text.splitlines():
        if comment := _COMMENT.match(line):
            words.append(comment[1].strip())
        elif key := _KEY.match(line):
            parents = [*(one for one in parents if one[0] < len(key[1])), (len(key[1]), key[2])]
            path = [name for _, name in parents]
            if words:
                yield ".".join(path), _default(values, path), " ".join(words)
            words = []


def _default(values: Any, path: list[str]) -> Any:
    for name in path:
        values = values[name]
    return values
