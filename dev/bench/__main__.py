"""`make bench`: one file by `modelsync pull`, curl and huggingface_hub in turns, from our Hub on loopback.

Loopback has no latency and no loss, so this measures what a tool costs, not what a network allows. Turns are
interleaved, because a machine is not equally fast at all times; the median counts. curl alone checks nothing
and the others do different things besides, hence the column that says so.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev import target as targets

MIB = 1024 * 1024
REPOSITORY, FILE = "bench/model", "model.safetensors"
_SNAPSHOT = (
    "import sys; from huggingface_hub import snapshot_download;"
    " snapshot_download(sys.argv[1], local_dir=sys.argv[2])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One way to fetch the repository's file into a folder."""

    name: str
    checks: str
    command: Callable[[str, Path], list[str]]


def _curl(url: str, folder: Path) -> list[str]:
    return ["curl", "-sSfL", "-o", str(folder / FILE), f"{url}/{REPOSITORY}/resolve/main/{FILE}"]


def _curl_and_hash(url: str, folder: Path) -> list[str]:
    return [
        "sh",
        "-c",
        'file=$1; shift; "$@" && sha256sum "$file"',
        "sh",
        str(folder / FILE),
        *_curl(url, folder),
    ]


TOOLS = (
    Tool(
        name="modelsync pull",
        checks="SHA-256, fsync",
        command=lambda url, folder: [
            *targets.PYTHON,
            "-m",
            "modelsync",
            "pull",
            f"hf://{REPOSITORY}",
            "--to",
            str(folder),
        ],
    ),
    Tool(name="curl", checks="nothing", command=_curl),
    Tool(name="curl, then sha256sum", checks="SHA-256", command=_curl_and_hash),
    Tool(
        name="huggingface_hub",
        checks="size",
        command=lambda url, folder: [*targets.PYTHON, "-c", _SNAPSHOT, REPOSITORY, str(folder)],
    ),
)


def main() -> int:
    """Run the comparison and print a table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    parser.add_argument("--mib", type=int, default=512, help="size of the file (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="turns of each tool (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelsync-bench-") as scratch:
        root = Path(scratch) / "hub"
        _make_file(root / REPOSITORY / FILE, options.mib)
        seconds = _with_hub(root, Path(scratch), options.runs)
    _print(seconds, options.mib)
    return 0


def _make_file(path: Path, mib: int) -> None:
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))


def _with_hub(root: Path, scratch: Path, runs: int) -> dict[str, list[float]]:
    command = [*targets.PYTHON, "-m", "dev.hub", "--root", str(root)]
    hub = subprocess.Popen(command, cwd=targets.REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert hub.stdout is not None
        url = hub.stdout.readline().split()[1]
        seconds: dict[str, list[float]] = {tool.name: [] for tool in TOOLS}
        for run in range(runs):
            for tool in TOOLS:
                print(f"run {run + 1} of {runs}: {tool.name}", file=sys.stderr, flush=True)
                seconds[tool.name].append(_timed(tool, url, scratch / "target"))
        return seconds
    finally:
        hub.terminate()
        hub.wait(10)


def _timed(tool: Tool, url: str, folder: Path) -> float:
    folder.mkdir()
    # A home of its own, so that no cache of an earlier run or of the user answers instead of the Hub.
    private = {"HF_ENDPOINT": url, "HF_HOME": str(folder / ".home"), "HF_HUB_DISABLE_XET": "1"}
    begun = time.monotonic()
    done = subprocess.run(
        tool.command(url, folder),
        cwd=targets.REPOSITORY,
        env=os.environ | private,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.monotonic() - begun
    if done.returncode or not (folder / FILE).is_file():
        raise SystemExit(f"{tool.name} failed: {done.stderr[-2000:]}")
    shutil.rmtree(folder)
    return took


def _print(seconds: dict[str, list[float]], mib: int) -> None:
    print(f"\n{mib} MiB over loopback, {os.cpu_count()} cores\n")
    print(f"{'tool':<22}{'median s':>9}{'MB/s':>7}   {'all runs':<24}checks")
    for tool in TOOLS:
        took = seconds[tool.name]
        middle = statistics.median(took)
        runs = " ".join(f"{one:.2f}" for one in took)
        print(f"{tool.name:<22}{middle:>9.2f}{mib * MIB / 1e6 / middle:>7.0f}   {runs:<24}{tool.checks}")


if __name__ == "__main__":
    sys.exit(main())
