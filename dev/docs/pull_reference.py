"""The page of `modelsync pull`: its options, from the command itself, and what `--json` writes."""

import json
from collections.abc import Iterator
from typing import Any

import click

from dev.docs.markdown import MADE, table
from modelsync.cli import pull

_HEAD = f"""{MADE}
# modelsync pull

Options, output and exit codes of `modelsync pull SOURCE... --to DIRECTORY`. SOURCE is
`hf://org/name[@revision]`, `hf://datasets/org/name`, `s3://bucket/prefix`, or one or more `https://` URLs of
files. How to use it: [without a cluster](../howto/without-a-cluster.md). Variables:
[environment](environment.md).
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
## Output

Progress goes to standard error. On a terminal: a bar for each file, and one for the total with size, speed,
time left, retries, and the [layer](../howto/engines.md#where-progress-comes-from) if it is not the engine.
Otherwise: a line at each change of stage, and every 5 seconds during the download. The result goes to
standard output: files, size, duration and revision, and on its own line the digest for `--expected-digest`.

## --json

Standard output has one JSON document per line: one per second, and one at each change of stage:

{_block(_RUNNING)}

`stage` is Resolving, Downloading, Verifying, Publishing or Done; `files` are those being downloaded, at most
8. `retrying` is present while a request is retried and no data arrives: cause, tries, nextSeconds, and asked
if the origin gave that time. An absent field is unknown. The last document is the result:

{_block(_ENDED)}

`reason` is `Synced` or one of the [reasons](reasons.md), then with a `message` that
names the fix. Warnings are lines on standard error.

## Exit codes

Each reason has an [exit code](exit-codes.md). 2 is a wrong command line or variable, before anything is
done. The first Ctrl-C (or SIGTERM) stops in order with 143, a second one at once.
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
