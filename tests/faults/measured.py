"""Runs a command and reports how it ended and its peak memory, as a line of JSON.

A process of its own, because the kernel counts to a child's peak what its parent held when it was made
(getrusage(2): a program that replaces another keeps its high-water mark), and a test runner holds much.
"""

import json
import os
import subprocess
import sys


def main() -> None:
    """Run the command in the arguments."""
    process = subprocess.Popen(sys.argv[1:])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    print(json.dumps({"code": process.returncode, "peak_kib": used.ru_maxrss}))


if __name__ == "__main__":
    main()
