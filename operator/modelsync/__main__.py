"""The program's first lines: `modelsync`, and `python -m modelsync`.

A container's first process is not ended by a signal that it does not handle, and loading the libraries takes
a second on a busy node: a worker that was asked to stop in that second would live on until it is killed. So a
handler stands before the first import that costs something.
"""

import os
import signal
import sys
from typing import NoReturn

from modelsync.api import exitcodes


def run() -> None:
    """Run the command line; the process's entry point."""
    if sys.argv[1:2] == ["worker"]:
        signal.signal(signal.SIGTERM, _stopped_before_it_began)
    from modelsync.settings import environment

    environment.need_utf8()
    environment.spare_plugins()
    from modelsync.cli import main

    main.main()


def _stopped_before_it_began(_number: int, _frame: object) -> NoReturn:
    """Nothing is done yet, so there is nothing to put in order; the operator knows the code."""
    os._exit(exitcodes.INTERRUPTED)


if __name__ == "__main__":
    run()
