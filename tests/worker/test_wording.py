"""Messages of the engine speak of a ModelSync's fields, and on a terminal of what there is on a terminal."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import modelsync
from modelsync.cli.wording import for_terminal

WORKER = Path(modelsync.__file__).parent / "worker"
OF_A_CLUSTER = re.compile(
    r"\bspec\.|ModelSync|\bworkers?\b|\bcluster\b|\bPods?\b|\bSecret\b|PersistentVolumeClaim|secretRef|namespace"
)


def test_no_message_speaks_of_a_cluster_on_a_terminal() -> None:
    found = [
        f"{path.relative_to(WORKER)}: {text}"
        for path in sorted(WORKER.rglob("*.py"))
        for text in _sentences(ast.parse(path.read_text(encoding="utf-8")))
        if OF_A_CLUSTER.search(for_terminal(text))
    ]
    assert found == []


def _sentences(tree: ast.AST) -> Iterator[str]:
    """What a module says: its texts with a space, without docstrings; braces in place of values."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    } - {id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    for node in ast.walk(tree):
        if id(node) in docstrings or id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        else:
            continue
        if " " in text and len(text) > 25:
            yield text
