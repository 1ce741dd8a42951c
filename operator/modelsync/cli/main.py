"""The `modelsync` command: a group whose subcommands are loaded when they are named.

Loading late keeps `modelsync pull` and the worker from importing the operator's libraries, and the other way
round. Errors a user can fix are one line on standard error and exit code 2.
"""

import importlib
import os
import sys

import click
from click.shell_completion import CompletionItem

import modelsync
from modelsync import errors
from modelsync.cli import commands, shells
from modelsync.startup import loading


class LateGroup(click.Group):
    """A group that imports a subcommand's module when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(commands.ALL)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name."""
        entry = commands.ALL.get(cmd_name)
        if entry is None:
            return None
        with loading():
            found = getattr(importlib.import_module(entry.module), entry.name)
        if not isinstance(found, click.Command):
            raise TypeError(f"{entry.module}.{entry.name} is not a command")
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Subcommands that people run, none of which is loaded for it, and the options."""
        found = [
            CompletionItem(name, help=entry.help)
            for name, entry in sorted(commands.FOR_PEOPLE.items())
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, none of which is loaded for its line."""
        most = formatter.width - 6 - max(map(len, commands.ALL))
        for title, section in commands.SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, _cut(entry.help, most)) for name, entry in section.items()])


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(modelsync.__version__, prog_name="modelsync")
def cli() -> None:
    """Download AI models onto Kubernetes volumes, with live progress."""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3].rsplit(" ", 1)[0].rstrip(",;:") + "..."


def main() -> None:
    """Run the command line; the process's entry point. A request that fails is exit code 1, a wrong command
    line or setting 2."""
    shells.register()
    plugin = os.path.basename(sys.argv[0]) == "kubectl-modelsync"
    try:
        cli(prog_name="kubectl modelsync" if plugin else "modelsync")
    except (errors.ConfigError, errors.UsageError) as error:
        click.echo(f"modelsync: {error}", err=True)
        sys.exit(2)
    except errors.KubeError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
