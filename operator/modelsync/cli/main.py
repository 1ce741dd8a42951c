"""The `modelsync` command: a group whose subcommands are loaded when they are named.

Loading late keeps `modelsync pull` and the worker from importing the operator's libraries, and the other way
round. Errors a user can fix are one line on standard error and exit code 2.
"""

import importlib
import sys

import click

import modelsync
from modelsync import errors
from modelsync.startup import loading

_COMMANDS = {
    "clean": "modelsync.cli.clean",
    "crds": "modelsync.cli.crds",
    "operator": "modelsync.cli.operator",
    "pull": "modelsync.cli.pull",
    "worker": "modelsync.cli.worker",
}
"""Name of a subcommand to its module, which holds it as `command`."""


class LateGroup(click.Group):
    """A group that imports a subcommand's module when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name."""
        if cmd_name not in _COMMANDS:
            return None
        with loading():
            found = importlib.import_module(_COMMANDS[cmd_name]).command
        if not isinstance(found, click.Command):
            raise TypeError(f"{_COMMANDS[cmd_name]}.command is not a command")
        return found


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(modelsync.__version__, prog_name="modelsync")
def cli() -> None:
    """Put AI models onto Kubernetes volumes, and show every byte of it."""


def main() -> None:
    """Run the command line; the process's entry point."""
    try:
        cli(prog_name="modelsync")
    except (errors.ConfigError, errors.UsageError) as error:
        click.echo(f"modelsync: {error}", err=True)
        sys.exit(2)
