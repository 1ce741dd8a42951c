"""`python -m dev.docs [--check]`: writes what is generated from the code, or reports what is stale.

These are the pages of docs/reference, and the chart's share of the operator's configuration.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from dev.docs import (
    chart_configuration,
    chart_values,
    configuration_schema,
    crd_reference,
    environment_reference,
    metrics_reference,
    presets_reference,
    pull_reference,
    settings_reference,
    vocabulary,
)
from modelsync.api import crd
from modelsync.web import app

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
_SYNC = """
Every field of a ModelSync. Start with [the tutorial](../tutorial/first-sync.md) or the files in `examples/`.
How to [control](../howto/control.md) and [troubleshoot](../howto/troubleshooting.md) a sync; all
[reasons](reasons.md).

| to | do |
|---|---|
| pause, resume | set `spec.suspend` to true, to false |
| cancel, start again | set `spec.cancel` to true, to false |
| retry, or check a Complete one | set the annotation `modelsync.dev/retry-requested-at` to a new value |
| wait in a script | `kubectl wait --for=condition=Ready --timeout=6h modelsync/NAME` |

An absent status field is unknown, never zero.
"""
_QUEUE = """
Every field of a SyncQueue, which limits how many syncs run at once ([how to use
queues](../howto/queues.md)). Queues live in the operator's namespace; a ModelSync of any namespace names one
in `spec.queue`. The chart creates the queue `default`.
"""


def pages() -> dict[str, str]:
    """File name to content of every generated page."""
    return {
        "modelsync.md": crd_reference.page(crd.sync_crd(), _SYNC),
        "syncqueue.md": crd_reference.page(crd.queue_crd(), _QUEUE),
        "reasons.md": vocabulary.reasons(),
        "exit-codes.md": vocabulary.exit_codes(),
        "metrics.md": metrics_reference.page(),
        "chart-values.md": chart_values.page(),
        "environment.md": environment_reference.page(),
        "pull.md": pull_reference.page(),
        "presets.md": presets_reference.page(),
        "operator.md": settings_reference.page(),
        "openapi.json": json.dumps(app.document(), indent=1, sort_keys=True) + "\n",
    }


def files() -> Iterator[tuple[Path, str]]:
    """Path and content of every generated file; the chart's come first, since a page is made from them."""
    yield chart_configuration.VALUES, chart_configuration.values()
    yield chart_configuration.RESTARTS, chart_configuration.restarts()
    yield configuration_schema.CHART, configuration_schema.chart()
    yield REFERENCE / "operator-configuration.schema.json", configuration_schema.document()
    yield from ((REFERENCE / name, text) for name, text in pages().items())


def stale() -> list[str]:
    """The files that are not what the code says."""
    return [path.name for path, text in files() if _stored(path) != text]


def _stored(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.docs", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 when a page is stale"
    )
    if parser.parse_args().check:
        old = stale()
        if old:
            print(f"not current: {', '.join(old)}; run `python -m dev.docs` and commit", file=sys.stderr)
        return 1 if old else 0
    for path, text in files():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
