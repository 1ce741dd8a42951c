"""`kubectl_complete-modelsync`: what kubectl asks when Tab is pressed after `kubectl modelsync`.

kubectl 1.26 and later run the program of this name with the words so far, the last of which is being typed,
and read candidates, one a line with a description after a tab, and a last line `:N` that says what the shell
should add: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/
"""

import sys
from collections.abc import Sequence

from click.shell_completion import CompletionItem, ShellComplete

from modelsync.settings import environment

_FILES, _NO_FILES, _DIRECTORIES = 0, 4, 16
"""ShellCompDirectiveDefault, NoFileComp and FilterDirs of cobra."""


def run() -> None:
    """The console script."""
    environment.need_utf8()
    environment.spare_plugins()
    for line in answer(sys.argv[1:]):
        print(line)


def answer(words: Sequence[str]) -> list[str]:
    """The lines for the words after `kubectl modelsync`; the last word is the one that is being typed."""
    from modelsync.cli import main

    *before, begun = words or [""]
    shell = ShellComplete(main.cli, {}, "kubectl modelsync", "_KUBECTL_MODELSYNC_COMPLETE")
    found = shell.get_completions(list(before), begun)
    return [*(_line(one) for one in found if one.type == "plain"), f":{_directive(found)}"]


def _line(item: CompletionItem) -> str:
    return f"{item.value}\t{item.help}" if item.help else str(item.value)


def _directive(found: Sequence[CompletionItem]) -> int:
    kinds = {item.type for item in found}
    return _FILES if "file" in kinds else _DIRECTORIES if "dir" in kinds else _NO_FILES
