"""`modelsync clean`: lists unfinished files that deleted ModelSyncs left on a volume, and removes them."""

from pathlib import Path

import click

from modelsync import errors
from modelsync.api.common import display, untrusted
from modelsync.worker.storage import leftovers

_HEAD = ("DIRECTORY", "UID", "SIZE", "CHANGED")


@click.command("clean")
@click.argument("directory", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option(
    "--uid",
    "uids",
    multiple=True,
    help="Remove the unfinished files of the ModelSync with this metadata.uid (repeatable).",
)
def command(directory: Path, uids: tuple[str, ...]) -> None:
    """List or remove unfinished files below DIRECTORY.

    DIRECTORY is a volume or a part of one. With --uid the files of that ModelSync are removed, unless a
    worker uses the directory. Published files are never touched. Paused ModelSyncs have unfinished files too;
    without them the download starts again. Exit code 1: a uid was not found, or its files are in use.
    """
    try:
        found = list(leftovers.find(directory))
        if not uids:
            _list(found)
            return
        unknown = sorted(set(uids) - {one.uid for one in found})
        kept = [one for one in found if one.uid in uids and not _remove(directory, one)]
    except OSError as error:
        raise errors.UsageError(f"{directory}: {error.strerror}") from error
    if unknown:
        click.echo(f"No unfinished files of {', '.join(map(repr, unknown))} below {directory}", err=True)
    if unknown or kept:
        raise SystemExit(1)


def _list(found: list[leftovers.Leftover]) -> None:
    rows = [_HEAD] + [
        (
            _shown(one.directory),
            untrusted.clean(one.uid),
            display.size(one.size),
            f"{one.changed:%Y-%m-%dT%H:%M:%SZ}",
        )
        for one in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _shown(directory: str) -> str:
    """A directory of the volume; who writes there chose its name."""
    return untrusted.clean(directory) or "/"


def _remove(directory: Path, one: leftovers.Leftover) -> bool:
    """Whether it was removed."""
    where, uid = _shown(one.directory), untrusted.clean(one.uid)
    try:
        leftovers.remove(directory, one)
    except leftovers.InUse:
        click.echo(f"{where} is in use by a worker; the files of {uid} were not removed", err=True)
        return False
    click.echo(f"Removed {display.size(one.size)} of {uid} in {where}")
    return True
