"""The plugin's commands, as the command line shows them without a cluster."""

import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from modelsync.cli import commands, main
from modelsync.reading import acts
from modelsync.reading.values import ActWords


@pytest.mark.parametrize("name", [name for name, one in commands.ALL.items() if "kubectl" in one.module])
def test_the_line_in_the_help_is_that_of_the_command(name: str) -> None:
    entry = commands.ALL[name]
    found = getattr(importlib.import_module(entry.module), entry.name)
    assert isinstance(found, click.Command) and found.name == name
    assert found.get_short_help_str(500).startswith(entry.help.rstrip("."))


def test_the_help_lists_all_commands_and_loads_none() -> None:
    code = (
        "import sys; from modelsync.cli import main; sys.argv = ['modelsync', '--help']\n"
        "try: main.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('pydantic', 'kubernetes', 'kopf', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {name} " in done.stdout for name in commands.ALL)
    assert max(map(len, done.stdout.splitlines())) <= 80


_WRONG: dict[str, tuple[list[str], str]] = {
    "no kubeconfig": (
        ["get", "--kubeconfig", "/nowhere"],
        "no access to a cluster: Invalid",
    ),
    "no time": (["get", "--request-timeout", "soon"], "--request-timeout: 'soon' must be a time such as 30s"),
}


@pytest.mark.parametrize("case", _WRONG)
def test_what_is_wrong_is_one_sentence(case: str) -> None:
    arguments, message = _WRONG[case]
    result = CliRunner().invoke(main.cli, arguments)
    assert result.exit_code == 1 and message in str(result.exception)


@pytest.mark.parametrize("words", acts.words(), ids=lambda words: words.act)
def test_the_command_that_every_door_shows_for_an_act_is_understood(words: ActWords) -> None:
    assert words.command.startswith("kubectl modelsync ")
    verb, *rest = words.command.split()[2:]
    command = main.cli.get_command(click.Context(main.cli), verb)
    assert command is not None and command.make_context(verb, rest).params
