"""`python -m dev.dashboards`: writes the Grafana dashboard from the table below; a test keeps both equal.

The JSON that Grafana wants is long and says little; what matters of a panel is its title, its query, its
unit and a sentence that says how to read it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "charts/modelsync/dashboards/modelsync-overview.json"
_WIDTH, _SOURCE = 24, {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel; `S` in a query stands for the namespace selector."""

    title: str
    text: str
    kind: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    """Pairs of PromQL and legend."""
    width: int = 8
    height: int = 8


def _stat(title: str, text: str, query: str, unit: str = "short") -> Panel:
    return Panel(title=title, text=text, kind="stat", unit=unit, queries=((query, ""),), width=4, height=4)


PANELS: tuple[Panel, ...] = (
    _stat(
        "Downloading", "ModelSyncs that receive bytes now.", 'sum(modelsync_syncs{S, phase="Downloading"})'
    ),
    _stat(
        "Queued", "ModelSyncs that wait, for a slot or for a fix.", 'sum(modelsync_syncs{S, phase="Queued"})'
    ),
    _stat("Failed", "ModelSyncs that only a user can help.", 'sum(modelsync_syncs{S, phase="Failed"})'),
    _stat("Complete", "ModelSyncs whose files are in place.", 'sum(modelsync_syncs{S, phase="Complete"})'),
    _stat(
        "Throughput",
        "Payload bytes received a second, all downloads together.",
        "sum(rate(modelsync_downloaded_bytes_total{S}[$__rate_interval]))",
        "Bps",
    ),
    _stat("Acting operators", "1 when all is well; 0 means nobody acts.", "sum(modelsync_leader)"),
    Panel(
        title="Throughput by source",
        text="Payload bytes received a second, by kind of source; re-fetched bytes count.",
        kind="timeseries",
        unit="Bps",
        queries=(
            ("sum by (source) (rate(modelsync_downloaded_bytes_total{S}[$__rate_interval]))", "{{source}}"),
        ),
    ),
    Panel(
        title="Speed of each download",
        text="Rolling average that the status shows, for active ModelSyncs only.",
        kind="timeseries",
        unit="Bps",
        queries=(("modelsync_sync_speed_bytes_per_second{S}", "{{namespace}}/{{name}}"),),
    ),
    Panel(
        title="Progress",
        text="Part of each active ModelSync that is on its volume.",
        kind="bargauge",
        unit="percentunit",
        queries=(
            (
                "modelsync_sync_downloaded_bytes{S} / (modelsync_sync_expected_bytes{S} > 0)",
                "{{namespace}}/{{name}}",
            ),
        ),
    ),
    Panel(
        title="Time left",
        text="Forecast of each active ModelSync; absent while it is unknown.",
        kind="timeseries",
        unit="s",
        queries=(("modelsync_sync_eta_seconds{S}", "{{namespace}}/{{name}}"),),
    ),
    Panel(
        title="ModelSyncs by phase",
        text="All ModelSyncs, stacked by phase.",
        kind="timeseries",
        unit="short",
        queries=(("sum by (phase) (modelsync_syncs{S})", "{{phase}}"),),
    ),
    Panel(
        title="Failures by reason",
        text="Attempts that failed, by reason; the reference of reasons has the fix of each.",
        kind="timeseries",
        unit="short",
        queries=(("sum by (reason) (modelsync_download_failures_total{S})", "{{reason}}"),),
    ),
    Panel(
        title="Queue: length and slots",
        text="ModelSyncs that wait in each queue, beside the slots that the queue has.",
        kind="timeseries",
        unit="short",
        queries=(
            ("modelsync_queue_length", "{{queue}} waiting"),
            ("modelsync_download_slots", "{{queue}} slots"),
        ),
    ),
    Panel(
        title="Longest wait",
        text="How long the longest waiting ModelSync of each namespace waits.",
        kind="timeseries",
        unit="s",
        queries=(("max by (namespace) (modelsync_queue_oldest_wait_seconds{S})", "{{namespace}}"),),
    ),
    Panel(
        title="Network of nodes",
        text="Bytes a second of workers' network devices by node; what was sent is drawn below zero.",
        kind="timeseries",
        unit="Bps",
        queries=(
            ("sum by (node) (rate(modelsync_network_receive_bytes_total[$__rate_interval]))", "{{node}} in"),
            (
                "-sum by (node) (rate(modelsync_network_transmit_bytes_total[$__rate_interval]))",
                "{{node}} out",
            ),
        ),
    ),
    Panel(
        title="Free space of targets",
        text="Free part of each target's file system, as its worker sees it.",
        kind="timeseries",
        unit="percentunit",
        queries=(
            (
                "modelsync_volume_available_bytes{S} / modelsync_volume_capacity_bytes{S}",
                "{{namespace}}/{{persistentvolumeclaim}}",
            ),
        ),
    ),
    Panel(
        title="Status writes",
        text="Status writes a second by result; skipped ones had nothing new to say.",
        kind="timeseries",
        unit="ops",
        queries=(("sum by (result) (rate(modelsync_status_patches_total[$__rate_interval]))", "{{result}}"),),
    ),
    Panel(
        title="Kubernetes API requests",
        text="Requests a second by verb and code.",
        kind="timeseries",
        unit="reqps",
        queries=(
            (
                "sum by (verb, code) (rate(modelsync_kube_api_requests_total[$__rate_interval]))",
                "{{verb}} {{code}}",
            ),
        ),
    ),
    Panel(
        title="Configuration",
        text="Accepted is 0 while an operator refuses its configuration and an earlier one acts: its log and"
        " the SyncQueues' conditions name the field. Restart needed is 1 while a change waits for a restart.",
        kind="timeseries",
        unit="short",
        queries=(
            ("min(modelsync_config_last_reload_successful)", "accepted"),
            ("max(modelsync_config_restart_needed)", "restart needed"),
        ),
    ),
    Panel(
        title="Age of the configuration",
        text="Time since each operator last accepted a content of its configuration file.",
        kind="timeseries",
        unit="s",
        queries=(("time() - modelsync_config_last_reload_success_timestamp_seconds", "{{pod}}"),),
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    panels: list[dict[str, Any]] = []
    x = y = row = 0
    for number, panel in enumerate(PANELS, 1):
        if x + panel.width > _WIDTH:
            x, y, row = 0, y + row, 0
        panels.append(_panel(number, panel, x, y))
        x, row = x + panel.width, max(row, panel.height)
    return {
        "uid": "modelsync-overview",
        "title": "modelsync / Overview",
        "tags": ["modelsync"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": panels,
    }


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    selector = 'namespace=~"$namespace"'
    return {
        "id": number,
        "title": panel.title,
        "description": panel.text,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": None}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.replace("{S", "{" + selector),
                "legendFormat": legend,
            }
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
        {
            "name": "namespace",
            "type": "query",
            "label": "Namespace",
            "datasource": _SOURCE,
            "query": "label_values(modelsync_syncs, namespace)",
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def text() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
