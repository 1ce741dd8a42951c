"""The page of `modelsync pull`: its options, as the command itself tells them, and what `--json` writes."""

import json
from collections.abc import Iterator
from typing import Any

import click

from dev.docs.markdown import MADE, table
from modelsync.cli import pull

_HEAD = f"""{MADE}
# modelsync pull

`modelsync pull SOURCE... --to DIRECTORY`, with SOURCE as `hf://org/name[@revision]`, `hf://datasets/org/name`,
`s3://bucket/prefix`, or one or more `https://` addresses of files. How to use it:
[without a cluster](../howto/without-a-cluster.md). Variables: [environment](environment.md).
"""
_RUNNING = {
    "stage": "Downloading",
    "progress": {
        "bytesTotal": 90868376,
        "bytesDone": 48000000,
        "bytesNetwork": 48000000,
        "bytesReused": 0,
        "filesTotal": 13,
        "filesDone": 8,
        "currentFile": "model.safetensors",
        "bytesPerSecond": 20000000,
        "layer": "Engine",
    },
    "files": [{"path": "model.safetensors", "bytesDone": 47000000, "bytesTotal": 90868376}],
    "retries": 0,
    "secondsLeft": 3,
}
_ENDED = {
    "reason": "Synced",
    "progress": {"bytesTotal": 90868376, "bytesDone": 90868376},
    "resolved": {"revision": "7162ac74…", "manifestDigest": "sha256:…", "files": 13, "bytes": 90868376},
}


def _block(document: dict[str, Any]) -> str:
    return f"```json\n{json.dumps(document, ensure_ascii=False)}\n```"


_TAIL = f"""
## What is shown

On a terminal: a bar for each file, and one for all with amount, speed, time left, retries, and the layer of
the figures where it is not the engine. Elsewhere: a line when the stage changes, and every 5 seconds while
bytes come. Both go to standard error. Speed and time left are absent until they are known. The result goes
to standard output: files, size, time, revision, and on a line of its own the digest that
`--expected-digest` takes.

## --json

Standard output is one JSON document a line. While it runs, one each second and at each change of stage:

{_block(_RUNNING)}

`stage` is Resolving, Downloading, Verifying, Publishing or Done; `files` are those being fetched, at most
8. `retrying` is there while nothing comes and a request is tried again: cause, tries, nextSeconds, and
asked where the origin named that time. A field that is absent is unknown. The last document tells the result:

{_block(_ENDED)}

`reason` is `Synced` or one of the [reasons](reasons.md), then with a `message` that tells the fix.
Warnings are lines on standard error.

## How it ends

The process's code is that of the reason: [exit codes](exit-codes.md). 2 is a wrong command line or
variable, told before anything is done. The first Ctrl-C (or SIGTERM) ends in order with 143, a second one
at once.
"""


def page() -> str:
    """docs/reference/pull.md."""
    return f"{_HEAD}\n{table(('option', 'meaning', 'default'), _options())}{_TAIL}"


def _options() -> Iterator[tuple[str, str, str]]:
    for option in pull.command.params:
        if not isinstance(option, click.Option):
            continue
        text, _, default = (option.help or "").partition("  [default: ")
        if isinstance(option.type, click.Choice):
            text += " One of " + ", ".join(f"`{each}`" for each in option.type.choices) + "."
        if option.multiple:
            text += " May be repeated."
        shown = default.rstrip("]") or (str(option.default) if option.show_default else "")
        yield f"`{option.opts[0]}`", text, f"`{shown}`" if shown else ""
