"""A worker's progress report as the operator may believe it.

The answer comes from a Pod in a user's namespace, so it is hostile input: its size is bounded here, its
numbers and strings by `protocol`, it must be about the attempt that was asked for, and within an attempt its
counters never fall. It makes progress visible and decides nothing: the Job's end and the termination message
do.
"""

from typing import TypeVar

import pydantic

from modelsync.api import protocol
from modelsync.core.cluster import snapshot

T = TypeVar("T", int, float)


class BadReport(ValueError):
    """The answer is not a progress report about this attempt."""


def parse(
    raw: bytes, pod: snapshot.PodRecord, before: protocol.ProgressReport | None
) -> protocol.ProgressReport:
    """The report in an answer's body, with its numbers clamped; raises BadReport."""
    if len(raw) > protocol.MAX_PROGRESS_BYTES:
        raise BadReport(f"more than {protocol.MAX_PROGRESS_BYTES} bytes")
    try:
        report = protocol.ProgressReport.model_validate_json(raw, strict=True)
    except (pydantic.ValidationError, ValueError) as error:
        raise BadReport("not a progress report") from error
    if (report.uid, report.attempt) != (pod.sync_uid, pod.attempt):
        raise BadReport("about another attempt")
    if pod.host_network:
        report = report.replace(devices=(), network=None)
    return _clamped(report, before)


def _clamped(
    report: protocol.ProgressReport, before: protocol.ProgressReport | None
) -> protocol.ProgressReport:
    old = before or report
    return report.replace(
        stage_progress=_of_stage(report.stage_progress),
        progress=_progress(report.progress, old.progress),
        devices=_devices(report.devices, old.devices),
        retries=max(report.retries, old.retries),
        rate_limit_wait_seconds=max(report.rate_limit_wait_seconds, old.rate_limit_wait_seconds),
    )


def _progress(new: protocol.Progress, old: protocol.Progress) -> protocol.Progress:
    same_whole = new.bytes_total == old.bytes_total
    return new.replace(
        bytes_done=_bounded(max(new.bytes_done, old.bytes_done if same_whole else 0), new.bytes_total),
        bytes_network=max(new.bytes_network, old.bytes_network),
        bytes_network_before=_most(new.bytes_network_before, old.bytes_network_before),
        bytes_reused=None if new.bytes_reused is None else _bounded(new.bytes_reused, new.bytes_total),
        files_done=_bounded(max(new.files_done, old.files_done if same_whole else 0), new.files_total),
    )


def _of_stage(reported: protocol.StageProgress) -> protocol.StageProgress:
    return reported.replace(
        files_done=None
        if reported.files_done is None
        else _bounded(reported.files_done, reported.files_total),
        bytes_done=None
        if reported.bytes_done is None
        else _bounded(reported.bytes_done, reported.bytes_total),
    )


def _devices(
    new: tuple[protocol.DeviceCounters, ...], old: tuple[protocol.DeviceCounters, ...]
) -> tuple[protocol.DeviceCounters, ...]:
    known = {device.device: device for device in old}

    def grown(device: protocol.DeviceCounters) -> protocol.DeviceCounters:
        before = known.get(device.device, device)
        return device.replace(
            receive_bytes=max(device.receive_bytes, before.receive_bytes),
            transmit_bytes=max(device.transmit_bytes, before.transmit_bytes),
        )

    return tuple(grown(device) for device in new)


def _most(new: int | None, old: int | None) -> int | None:
    return max((count for count in (new, old) if count is not None), default=None)


def _bounded(value: T, limit: T | None) -> T:
    return value if limit is None else min(value, limit)
