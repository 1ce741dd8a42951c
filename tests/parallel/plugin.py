"""The hooks that make `-n` know groups of tests; `tests/conftest.py` registers them.

The processes collect, and another one schedules: so one of them writes down the group of each test where the
scheduler finds it.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from xdist.workermanage import WorkerController

from tests.parallel import groups
from tests.parallel.scheduler import Scheduler

_COURTESY = 10
"""A nice value: a tenth of the processor time of one at 0, while both want more than there is."""
_FILE = pytest.StashKey[Path]()
_DUTIES = pytest.StashKey[set[str]]()


def is_first(config: pytest.Config) -> bool:
    """Whether this process does what one of them has to do after collecting."""
    given = _given(config)
    return given is None or given["workerid"] == "gw0"


def leave(config: pytest.Config, duty: str) -> bool:
    """Leave a duty to the end of all processes; False where there is one process, which does it itself."""
    if _given(config) is None:
        return False
    config.workeroutput[duty] = True  # type: ignore[attr-defined]
    return True


def left(config: pytest.Config, duty: str) -> bool:
    """Whether a process that has ended left this duty."""
    return duty in config.stash.get(_DUTIES, ())


def _given(config: pytest.Config) -> dict[str, str] | None:
    """What pytest-xdist gave to a process; None where pytest runs in one, and in the one that decides."""
    return getattr(config, "workerinput", None)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Before a process starts: name the file of groups."""
    if _FILE not in node.config.stash:
        node.config.stash[_FILE] = Path(tempfile.mkdtemp(prefix="modelsync-tests-")) / "groups.json"
    node.workerinput["groups"] = str(node.config.stash[_FILE])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """In the first of the processes: write the groups, before it says that it has collected."""
    given = _given(session.config)
    if given and is_first(session.config):
        rows = [groups.row(item) for item in session.items]
        Path(given["groups"]).write_text(json.dumps(rows))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember the group of the test that runs, and let one that needs no cluster go after those that do.

    What is `alone` runs one after another, the longest chain of a run; what is free fills the gaps.
    """
    groups.running = groups.of(item)
    if _given(item.config):
        _go_after(_COURTESY if groups.running is groups.Group.FREE else 0)
    try:
        return (yield)
    finally:
        groups.running = None


def _go_after(courtesy: int) -> None:
    """Set this thread's nice value, which what it starts inherits; a user other than root cannot lower it."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, courtesy)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> Scheduler:
    """Ours, whatever `--dist` says."""
    return Scheduler(len(config.getvalue("tx")), config.stash[_FILE])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """A process has ended: remember what it left to do."""
    node.config.stash.setdefault(_DUTIES, set()).update(getattr(node, "workeroutput", ()))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the file of groups."""
    if path := config.stash.get(_FILE, None):
        path.unlink(missing_ok=True)
        path.parent.rmdir()
