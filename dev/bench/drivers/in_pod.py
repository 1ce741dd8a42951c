"""Runs commands in a Pod and prints what they cost: `in_pod.py PHASES`, a JSON list of command lines.

The kernel's own figures of the ended children; this program is small, so what they inherit from it is, too.
The control group's peak counts the page cache, which fills any limit, so it is reported but not compared.
"""

import json
import os
import subprocess
import sys
import time

CGROUP_PEAKS = ("/sys/fs/cgroup/memory/memory.max_usage_in_bytes", "/sys/fs/cgroup/memory.peak")


def main() -> int:
    """Return the exit code of the first command that fails."""
    begun = time.monotonic()
    cpu, peak = 0.0, 0
    for command in json.loads(sys.argv[1]):
        process = subprocess.Popen(command, stdout=sys.stderr)
        _, status, usage = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss)
        if code:
            return code if code > 0 else 128 - code
    cost = {"wall_s": time.monotonic() - begun, "cpu_s": cpu, "peak_kib": peak, "group_bytes": _group_peak()}
    print("cost " + json.dumps(cost), flush=True)
    return 0


def _group_peak() -> int:
    for path in CGROUP_PEAKS:
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                return int(file.read())
    return 0


if __name__ == "__main__":
    sys.exit(main())
