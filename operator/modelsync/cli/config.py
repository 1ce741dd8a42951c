"""`modelsync config`: what can be done with a configuration without running an operator."""

import sys
from pathlib import Path

import click

from modelsync.settings import config_file


@click.group("config")
def command() -> None:
    """Check the operator's configuration."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a document of kind OperatorConfiguration; `-` reads it from standard input.

    Ends with code 0 if an operator would start with it, else with 2 and what is wrong.
    """
    if str(file) == "-":
        config_file.parse(sys.stdin.buffer.read(config_file.MOST_BYTES + 1), "standard input")
    else:
        config_file.read(file)
    click.echo(f"{file}: valid")
