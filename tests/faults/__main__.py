"""`make faults`: run every case of every suite with its full count, and write the fault table."""

import argparse
import datetime
import json
import sys
import time
from pathlib import Path

from dev import target as targets
from tests.faults import table
from tests.faults.case import Case, Tally
from tests.faults.suites import every

SEED = 20260101
RESULTS = Path("docs/reference/faults.json")
PAGE = Path("docs/reference/faults.md")


def main() -> int:
    """Run the chosen cases; returns 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--suite", help="only this suite")
    parser.add_argument("--case", help="only cases whose name contains this")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, help="instead of each case's full count")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    options = parser.parse_args()
    chosen = [
        case
        for case in every()
        if options.suite in (None, case.suite) and (options.case or "").lower() in case.name.lower()
    ]
    if not chosen:
        parser.error("no case matches; --list names them")
    if options.list:
        for case in chosen:
            print(f"{case.suite}: {case.name} ({case.full})")
        return 0
    rows = [_row(case, options.seed, options.count or case.full) for case in chosen]
    if options.count is None and options.seed == SEED:
        _write(rows)
    return 0 if all(row["tried"] == row["passed"] for row in rows) else 1


def _row(case: Case, seed: int, count: int) -> table.Row:
    begun = time.monotonic()
    tally: Tally = case.run(seed, count)
    took = time.monotonic() - begun
    print(f"{case.suite}: {case.name}: {tally.passed}/{tally.tried} in {took:.1f} s", flush=True)
    for failure in tally.failures:
        print(f"    {failure}", file=sys.stderr)
    return table.Row(
        suite=case.suite,
        case=case.name,
        tried=tally.tried,
        passed=tally.passed,
        seed=seed,
        command=f"python -m tests.faults --suite {case.suite} --case '{case.name}' --seed {seed}",
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _write(rows: list[table.Row]) -> None:
    """Replace the rows that were run, and keep the others."""
    path = targets.REPOSITORY / RESULTS
    known: list[table.Row] = json.loads(path.read_text()) if path.exists() else []
    merged = table.merged(known, rows, {(case.suite, case.name) for case in every()})
    path.write_text(json.dumps(merged, indent=1) + "\n")
    (targets.REPOSITORY / PAGE).write_text(table.page(merged))


if __name__ == "__main__":
    sys.exit(main())
