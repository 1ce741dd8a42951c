"""The dashboards' panels as plain queries, with Grafana's variables filled in."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path("charts/modelsync/dashboards")


def dashboards() -> list[dict[str, Any]]:
    """All dashboards of the chart."""
    return [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]


def queries(*, namespace: str = ".*", interval: str = "10s") -> Iterator[tuple[str, str]]:
    """Pairs of "panel/target" and PromQL."""
    for dashboard in dashboards():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$namespace", namespace)
                yield f"{panel['title']}/{target['refId']}", expression.replace("$__rate_interval", interval)


def has_data(vector: list[dict[str, Any]]) -> bool:
    """Whether a query's answer would draw something: at least one sample that is a number."""
    return any(not math.isnan(float(sample["value"][1])) for sample in vector)
