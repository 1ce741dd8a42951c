"""The dashboards: generated, complete, and of metrics that exist."""

import re
from pathlib import Path

import pytest

from dev import dashboards as generator
from modelsync.runtime.telemetry import metrics, state_collector
from tests.chart import panels

PANELS = [panel for dashboard in panels.dashboards() for panel in dashboard["panels"]]


def test_file_is_the_generated_one() -> None:
    assert generator.TARGET.read_text() == generator.text(), "run `python -m dev.dashboards`"


def test_at_least_eight_panels() -> None:
    assert len(PANELS) >= 8


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_every_panel_explains_itself_and_has_a_unit(panel: dict[str, object]) -> None:
    assert str(panel["description"]).endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]  # type: ignore[index]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_dashboards_can_be_provisioned() -> None:
    for dashboard in panels.dashboards():
        assert dashboard["editable"] is False
        assert "__inputs" not in dashboard
        assert {variable["name"] for variable in dashboard["templating"]["list"]} == {
            "datasource",
            "namespace",
        }


def test_queries_use_metrics_that_the_operator_has() -> None:
    source = "".join(Path(module.__file__ or "").read_text() for module in (metrics, state_collector))
    names = {name for _, query in panels.queries() for name in re.findall(r"modelsync_\w+", query)}
    assert names
    for name in names:
        plain = name.removeprefix("modelsync_").removesuffix("_total").removesuffix("_bucket")
        assert f'"{plain}"' in source, name


def test_the_dashboard_and_the_page_on_monitoring_show_each_metric_of_the_configuration() -> None:
    drawn = "".join(query for _, query in panels.queries())
    page = Path("docs/howto/monitoring.md").read_text(encoding="utf-8")
    reference = Path("docs/reference/metrics.md").read_text(encoding="utf-8")
    names = set(re.findall(r"modelsync_config_\w+", reference))
    assert len(names) == 3
    assert {name for name in names if name not in drawn or name not in page} == set()


def test_rates_follow_the_zoom_of_the_dashboard() -> None:
    for title, query in panels.queries(interval="ZOOM"):
        for window in re.findall(r"\[(\w+)\]", query):
            assert window == "ZOOM", f"{title}: a fixed window is empty or stale at another zoom"


def test_namespace_filters_every_panel_that_can_be_filtered() -> None:
    for _, query in panels.queries(namespace="CHOSEN"):
        for name, selector in re.findall(r"(modelsync_\w+)(\{[^}]*\})?", query):
            cluster_wide = re.search(
                "leader|queue_length|slots|network|status_patches|kube_api|config_", name
            )
            assert cluster_wide or 'namespace=~"CHOSEN"' in selector, query


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
