"""What the tests of the commands share."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from modelsync.cli import main

KEPT = ("PATH", "HOME", "LANG")
"""Variables of the user who runs the tests that a command gets."""


class Refused(NamedTuple):
    """How a refused command line ended."""

    code: int
    stdout: str
    stderr: str


Refusal = Callable[..., Refused]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refusal:
    """`modelsync pull` in this process, for what is refused at once: to start one takes half a second."""

    def run(*given: str | Path, **variables: str) -> Refused:
        for name in os.environ.keys() - KEPT:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["modelsync", "pull", *map(str, given)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert isinstance(ended.value.code, int)
        return Refused(ended.value.code, *capfd.readouterr())

    return run
