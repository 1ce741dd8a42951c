"""The page of metrics, made from the operator's own registry."""

from collections.abc import Iterator, Sequence

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from dev.docs.markdown import MADE, table
from modelsync.runtime.cluster import cache
from modelsync.runtime.telemetry import metrics, state_collector

_HEAD = f"""{MADE}
# Metrics

The metrics that the operator serves at `/metrics` on port 8080, in Prometheus' text format. The operator
counts downloads from its workers' reports, so short-lived workers are counted in full. The Python client
adds the families `process_…` and `python_gc_…`. How to collect them: [monitoring](../howto/monitoring.md).

Labels are namespaces, source types, [reasons](reasons.md), nodes, network devices and queues, never a
repository or URL. Series `modelsync_sync_…` exist only for active ModelSyncs.
"""


def page() -> str:
    """docs/reference/metrics.md."""
    rows = [
        (f"`{name}`", family.type, family.documentation, ", ".join(f"`{label}`" for label in labels))
        for family, labels in _families()
        for name in [f"{family.name}_total" if family.type == "counter" else family.name]
    ]
    return f"{_HEAD}\n{table(('name', 'type', 'meaning', 'labels'), sorted(rows))}"


def _families() -> Iterator[tuple[Metric, Sequence[str]]]:
    """All our families with their labels, which the client keeps to itself while there are no samples."""
    made = metrics.Metrics()
    made.registry.register(state_collector.StateCollector(cache.Store()))
    wrappers = [metric for metric in vars(made).values() if isinstance(metric, MetricWrapperBase)]
    known = {family.name: metric._labelnames for metric in wrappers for family in metric.describe()}
    for family in made.registry.collect():
        if family.name.startswith("modelsync_"):
            labels = known.get(family.name) or getattr(family, "_labelnames", ())
            yield family, labels or tuple(family.samples[0].labels if family.samples else ())
