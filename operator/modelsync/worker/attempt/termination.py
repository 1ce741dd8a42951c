"""The attempt's termination report: at most 4 KiB of JSON where the kubelet looks for them.

They outlive the operator and are the final truth about the attempt, so they must fit and must be valid JSON
whatever a message holds: what is of least use goes first.
"""

import contextlib
from pathlib import Path

from modelsync.api.protocol import MAX_TERMINATION_BYTES, TerminationReport

MOST_MESSAGE = 1024
"""Longest message of a report, by its model."""


def fitting(report: TerminationReport) -> str:
    """The report as JSON of at most MAX_TERMINATION_BYTES."""
    text = report.dump_json()
    if _fits(text):
        return text
    report = report.replace(devices=(), progress=report.progress.replace(current_file=None))
    message = report.message
    while not _fits(text := report.dump_json()) and message:
        message = message[: len(message) // 2]
        report = report.replace(message=message + "…")
    return text


def _fits(text: str) -> bool:
    return len(text.encode()) <= MAX_TERMINATION_BYTES


def shortened(message: str) -> str:
    """A message within the model's bound."""
    return message if len(message) <= MOST_MESSAGE else message[: MOST_MESSAGE - 1] + "…"


def write(path: Path, report: TerminationReport) -> None:
    """Leave the report; a worker that cannot still has its exit code."""
    with contextlib.suppress(OSError):
        path.write_text(fitting(report))
