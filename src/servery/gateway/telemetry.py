"""What a server tells of itself: metrics for Prometheus. Never a key, never a body."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from servery.gateway.message import Request
from servery.serving.engine import Engine

LABELS = ("model", "version", "task", "protocol", "code")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Telemetry:
    """The counters of one server.

    Args:
        engine: Its replicas are asked when the metrics are.
    """

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._registry.register(_Replicas(engine))
        self._requests = Counter("servery_requests", "Requests answered.", LABELS, registry=self._registry)
        self._seconds = Histogram(
            "servery_request_duration_seconds",
            "From the request's head to its answer.",
            LABELS[:-1],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "servery_requests_in_flight", "Requests being answered.", registry=self._registry
        )
        self._children: dict[tuple[str, ...], tuple[Counter, Histogram]] = {}

    def observe(self, request: Request, status: int, seconds: float) -> None:
        """Count one answered request; its notes hold only names of loaded versions, so the labels stay few."""
        notes = request.notes
        labels = (*[notes.get(name, "") for name in LABELS[:-1]], str(status))
        children = self._children.get(labels)
        if children is None:
            children = self._requests.labels(*labels), self._seconds.labels(*labels[:-1])
            self._children[labels] = children
        children[0].inc()
        children[1].observe(seconds)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Replicas(Collector):
    """Reads the engine when asked, so that a batch costs no metric."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        labels = ["model", "version"]
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {
            "batches": CounterMetricFamily("servery_batches", "Forward passes run.", labels=labels),
            "rows": CounterMetricFamily("servery_batched_rows", "Inputs in forward passes.", labels=labels),
            "queue_rows": GaugeMetricFamily("servery_queue_rows", "Inputs waiting.", labels=labels),
            "memory_bytes": GaugeMetricFamily("servery_model_memory_bytes", "Estimate.", labels=labels),
        }
        for row in self._engine.status():
            for attribute, family in families.items():
                name, _, number = row.reference.partition("@")
                family.add_metric([name, number], getattr(row, attribute))
        return families.values()
