"""All metrics of the operator: names, labels and what they mean, in one registry of its own.

Counters are aggregates that the operator keeps for its workers (see `worker_counters`): a worker may live for
less than a scrape interval. Labels are bounded: namespaces, sources, reasons, nodes and devices; never a
repository, a revision or a URL. A namespace's series go an hour after its last ModelSync, a node's an hour
after its last worker: late enough for every scrape, and for Prometheus one that comes back is a counter that
began again. What describes present state is collected from the store at scrape time (see `state_collector`),
so that no series outlives its object.
"""

import platform
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TypeVar

import prometheus_client as prometheus
from prometheus_client import Counter, Gauge, Histogram

import modelsync
from modelsync.runtime.cluster.resources import WATCHED

M = TypeVar("M", Counter, Histogram)
_WAITS = (1, 5, 15, 60, 300, 900, 3600, 14400)
_DURATIONS = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800)
_VERIFICATIONS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)
_PLANS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60)
_PLAN_WAITS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2.5, 5, 10)
_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RESULTS = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The counters of one namespace and source: looking them up by their labels costs more than counting."""

    downloaded_bytes: Counter
    retries: Counter
    stalls: Counter
    downloads: Mapping[str, Counter]
    """By result."""


class Metrics:
    """Every metric that is counted as things happen."""

    def __init__(self) -> None:
        # They would double the series, and no query of ours uses them.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = prometheus.CollectorRegistry()
        self._by_label: dict[str, list[Counter | Histogram]] = defaultdict(list)
        prometheus.ProcessCollector(registry=self.registry)
        prometheus.GCCollector(registry=self.registry)
        self._operator()
        self._downloads()
        self._kubernetes()

    def _operator(self) -> None:
        info = self._gauge(
            "build_info", "What runs here; always 1.", "version", "python_version", "kopf_version"
        )
        info.labels(modelsync.__version__, platform.python_version(), metadata.version("kopf")).set(1)
        self.leader = self._gauge("leader", "1 while this replica acts.")
        self.config_accepted = self._gauge(
            "config_last_reload_successful",
            "1 while the file's configuration acts; 0 while it is refused and an earlier one acts.",
        )
        self.config_accepted_at = self._gauge(
            "config_last_reload_success_timestamp_seconds", "When a content of the file was last accepted."
        )
        self.config_restart = self._gauge(
            "config_restart_needed",
            "1 while a change of the configuration waits for a restart of the operator.",
        )
        self.reconcile_total = self._counter("reconcile", "Plans made, by result.", "handler", "result")
        self.reconcile_seconds = self._histogram(
            "reconcile_duration_seconds", "How long a plan and its carrying out took.", _PLANS, "handler"
        )
        self.plan_wait = self._histogram(
            "plan_wait_seconds",
            "How long a change, or a time that was due, waited for its plan.",
            _PLAN_WAITS,
        )
        self.watch_restarts = self._counter("watch_restarts", "Watches begun again.", "resource")
        self.unexpected_errors = self._counter(
            "unexpected_errors",
            "Exceptions that nobody foresaw: logged, and what failed is tried again. Please report them.",
            "part",
        )
        self.unreadable_objects = self._counter(
            "unreadable_objects",
            "Versions of objects that could not be read as a whole; the log names them.",
            "resource",
        )
        self.status_patches = self._counter("status_patches", "Status writes by result.", "result")
        for resource in WATCHED:
            self.unreadable_objects.labels(resource.plural)
        for result in ("written", "skipped", "conflict"):
            self.status_patches.labels(result)
        for result in ("success", "error"):
            self.reconcile_total.labels("plan", result)

    def _downloads(self) -> None:
        where = ("namespace", "source")
        self.downloaded_bytes = self._counter(
            "downloaded_bytes", "Payload bytes received by workers, fetched again or not.", *where
        )
        self.downloads = self._counter("downloads", "Finished attempts.", *where, "result")
        self.failures = self._counter("download_failures", "Failed attempts by reason.", *where, "reason")
        self.retries = self._counter("download_retries", "Requests tried again by workers.", *where)
        self.stalls = self._counter("download_stalls", "Downloads that received nothing for a while.", *where)
        self.duration = self._histogram(
            "download_duration_seconds", "How long finished attempts ran.", _DURATIONS, "source", "result"
        )
        self.verification = self._histogram(
            "verification_duration_seconds", "How long files were verified.", _VERIFICATIONS, "source"
        )
        self.rate_limit_wait = self._counter(
            "rate_limit_wait_seconds", "Time workers waited because an origin asked them to.", "source"
        )
        self.queue_wait = self._histogram(
            "queue_wait_seconds", "How long a ModelSync waited for its slot.", _WAITS, "namespace"
        )
        device = ("node", "device")
        self.network_receive = self._counter(
            "network_receive_bytes", "Bytes received by workers' network devices.", *device
        )
        self.network_transmit = self._counter(
            "network_transmit_bytes", "Bytes sent by workers' network devices.", *device
        )

    def _kubernetes(self) -> None:
        self.requests = self._counter(
            "kube_api_requests", "Requests to the Kubernetes API.", "verb", "resource", "code"
        )
        self.request_seconds = self._histogram(
            "kube_api_request_duration_seconds", "How long they took.", _REQUESTS, "verb", "resource"
        )
        self.polls = self._counter("worker_polls", "Progress polls by result.", "result")
        for result in ("ok", "unreachable", "invalid"):
            self.polls.labels(result)

    def observe_request(self, verb: str, resource: str, code: str, seconds: float) -> None:
        """Count a request to the Kubernetes API."""
        self.requests.labels(verb, resource, code).inc()
        self.request_seconds.labels(verb, resource).observe(seconds)

    def at(self, namespace: str, source: str) -> Place:
        """The counters of a namespace and source, from 0 on, so that `increase` sees the first event."""
        return Place(
            downloaded_bytes=self.downloaded_bytes.labels(namespace, source),
            retries=self.retries.labels(namespace, source),
            stalls=self.stalls.labels(namespace, source),
            downloads={result: self.downloads.labels(namespace, source, result) for result in RESULTS},
        )

    def forget(self, label: str, value: str) -> None:
        """Remove every series with this value of a label."""
        for metric in self._by_label[label]:
            metric.remove_by_labels({label: value})

    def _labelled(self, metric: M, labels: tuple[str, ...]) -> M:
        for label in labels:
            self._by_label[label].append(metric)
        return metric

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return self._labelled(Counter(f"modelsync_{name}", text, labels, registry=self.registry), labels)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"modelsync_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        made = Histogram(f"modelsync_{name}", text, labels, registry=self.registry, buckets=buckets)
        return self._labelled(made, labels)
