"""`make bench`: download engines side by side on this machine, and the page, figures and chart from it.

Rows are written after each case, so a run that is interrupted keeps what it has measured. All scratch is
below one temporary directory (and one in memory), gone at the end, also after Ctrl-C.
"""

import argparse
import datetime
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from dev import target as targets
from dev.bench import cases, chart, machine, page, results, running, tools
from dev.bench.measure import BenchError
from dev.bench.places import Unavailable

RESULTS, PAGE, CHART = "reference/benchmarks.json", "reference/benchmarks.md", "benchmarks.svg"
REPEATS = 3
CALM = 1.5
"""Load before the start above which the figures say more about what else runs."""


def main() -> int:
    """Run the chosen cases; returns 1 when one of them failed."""
    options = _options()
    every = cases.quick() if options.quick else cases.full()
    chosen = [case for case in every if (options.case or "").lower() in case.name.lower()]
    if options.list:
        print("\n".join(case.name for case in chosen))
        return 0
    if not chosen:
        print("no case matches; --list names them", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that nothing is left behind
    if machine.load() > CALM and not options.quick:
        print(f"the load is {machine.load():.1f}: figures suffer from what else runs", file=sys.stderr)
    if not options.quick:
        tools.install(_say)
    try:
        with tempfile.TemporaryDirectory(prefix="modelsync-bench-", dir=options.scratch) as scratch:
            return _run(chosen, every, options, Path(scratch))
    except KeyboardInterrupt:
        print("stopped; the cases that ended are written", file=sys.stderr)
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small sample, to see that all works")
    parser.add_argument("--case", help="only cases whose name contains this")
    parser.add_argument("--repeats", type=int, help=f"turns of each engine (default: {REPEATS}; quick: 1)")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument(
        "--output", type=Path, help="folder for the results (default: docs; quick: nothing is written)"
    )
    parser.add_argument("--scratch", type=Path, help="where temporary files go; 20 GiB are needed")
    options = parser.parse_args()
    options.repeats = options.repeats or (1 if options.quick else REPEATS)
    options.output = options.output or (None if options.quick else targets.REPOSITORY / "docs")
    return options


def _say(line: str) -> None:
    print(line, flush=True)


def _run(
    chosen: list[cases.Case], every: list[cases.Case], options: argparse.Namespace, scratch: Path
) -> int:
    versions = results.versions_of(
        engine for case in chosen for engine in case.engines if running.installed(engine)
    )
    failed, begun = 0, time.monotonic()
    for number, case in enumerate(chosen, 1):
        load = machine.load()
        passed = (time.monotonic() - begun) / 60
        _say(f"[{number}/{len(chosen)}, {passed:.1f} min, load {load:.1f}] {case.name}")
        try:
            found = running.run(case, options.repeats, scratch, _say)
        except Unavailable as reason:
            _say(f"    left out: {reason}")
            continue
        except BenchError as error:
            print(f"    failed: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        rows = results.rows_of(case, found, versions, results.When(date=today, load=load))
        if options.output:
            _write(options.output, rows, [case.name for case in every])
    return 1 if failed else 0


def _write(output: Path, new: list[results.Row], order: list[str]) -> None:
    path = output / RESULTS
    path.parent.mkdir(parents=True, exist_ok=True)
    known: list[results.Row] = json.loads(path.read_text()) if path.exists() else []
    rows = results.merged(known, new, order)
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    (output / PAGE).write_text(page.page(rows, machine.described()))
    (output / CHART).write_text(chart.draw(chart.chosen(rows)))


if __name__ == "__main__":
    sys.exit(main())
