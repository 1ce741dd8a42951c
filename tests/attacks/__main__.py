"""`make attacks`: run every attack with all its variants, and write the table of attacks."""

import argparse
import contextlib
import datetime
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from dev import occupied
from dev import target as targets
from tests.attacks import case, table
from tests.attacks.suites import every
from tests.e2e import release

RESULTS = Path("docs/reference/attacks.json")
PAGE = Path("docs/reference/attacks.md")


def main() -> int:
    """Run the chosen attacks; returns 1 when one of them was not refused."""
    options = _options()
    chosen = [
        attack
        for attack in every()
        if options.topic in (None, attack.topic) and (options.case or "").lower() in attack.name.lower()
    ]
    if options.list:
        print("\n".join(f"{attack.topic}: {attack.name} ({attack.how})" for attack in chosen))
        return 0
    if not chosen:
        print("no attack matches; --list names them", file=sys.stderr)
        return 2
    with _operator() if any(one.how is case.Ground.CLUSTER for one in chosen) else contextlib.nullcontext():
        rows = [_row(attack, full=not options.quick) for attack in chosen]
    if not options.quick:
        _write(rows)
    return 0 if all(row["tried"] == row["refused"] for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("--topic", help="only this topic")
    parser.add_argument("--case", help="only attacks whose name contains this")
    parser.add_argument("--quick", action="store_true", help="the tests' variants; writes nothing")
    parser.add_argument("--list", action="store_true", help="name the attacks and end")
    return parser.parse_args()


@contextlib.contextmanager
def _operator() -> Iterator[None]:
    """The tests' release on the cluster of KUBECONFIG, removed at the end."""
    if "KUBECONFIG" not in os.environ:
        raise SystemExit("no cluster: run `make attacks`, or set KUBECONFIG")
    occupied.make_room(occupied.Maker.TESTS)
    try:
        release.install()
        yield
    finally:
        occupied.Cluster().clean_up(occupied.Maker.TESTS)


def _row(attack: case.Attack, *, full: bool) -> table.Row:
    begun = time.monotonic()
    result = case.tried(attack, full=full)
    took = time.monotonic() - begun
    print(
        f"{attack.topic}: {attack.name}: {result.refused}/{result.tried} refused in {took:.1f} s", flush=True
    )
    for problem in result.problems:
        print(f"    {problem}", file=sys.stderr, flush=True)
    return table.Row(
        topic=attack.topic,
        attack=attack.name,
        tried=result.tried,
        refused=result.refused,
        how=str(attack.how),
        command=f"make attacks ARGS=\"--topic {attack.topic} --case '{attack.name}'\"",
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _write(rows: list[table.Row]) -> None:
    """Replace the rows that were run, and keep the others."""
    path = targets.REPOSITORY / RESULTS
    known: list[table.Row] = json.loads(path.read_text()) if path.exists() else []
    rows = table.merged(known, rows, {(attack.topic, attack.name) for attack in every()})
    path.write_text(json.dumps(rows, indent=1) + "\n")
    (targets.REPOSITORY / PAGE).write_text(table.page(rows))


if __name__ == "__main__":
    sys.exit(main())
