"""Completion in the shell as click does it, with `--option=value` in one word, as kubectl completes it.

click completes the value alone. zsh puts that in place of the whole word, and the option is gone; fish offers
nothing, since no candidate begins like the word. bash breaks words at `=`, and click takes the sign for the
value.
"""

from collections.abc import Mapping

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)


class Bash(BashComplete):
    """bash."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, without the signs between options and their values."""
        words, begun = super().get_completion_args()
        pairs = zip(["", *words], words, strict=False)
        return [word for before, word in pairs if not (word == "=" and before.startswith("--"))], begun


class _WholeWord(ShellComplete):
    """A shell that compares candidates with the whole word."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """The candidates, with the option that the word begins with."""
        option, sign, _ = incomplete.partition("=")
        found = super().get_completions(args, incomplete)
        if not sign or not option.startswith("--"):
            return found
        return [
            CompletionItem(f"{option}={one.value}", one.type, one.help) if one.type == "plain" else one
            for one in found
        ]


class Zsh(_WholeWord, ZshComplete):
    """zsh."""


class Fish(_WholeWord, FishComplete):
    """fish; of a description, what comes after its first comma belongs to it, too."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


ALL: Mapping[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def register() -> None:
    """Have click use these."""
    for name, shell in ALL.items():
        add_completion_class(shell, name)
