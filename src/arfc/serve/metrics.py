"""What `/metrics` tells Prometheus; a registry per server, so that one process may hold several."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

REQUEST_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BATCH_INPUTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters of requests, inputs and batches; none carries a text, a key or a name that a caller chose."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        to = self._registry
        ProcessCollector(registry=to)  # memory, processor time
        self.requests = Counter("arfc_requests", "Requests answered.", ["path", "status"], registry=to)
        self.seconds = Histogram(
            "arfc_request_seconds", "Seconds from a request's head to the end of its answer.", ["path"],
            buckets=REQUEST_S, registry=to,
        )  # fmt: skip
        self.inputs = Counter("arfc_inputs", "Inputs embedded.", registry=to)
        self.under_way = Gauge("arfc_requests_under_way", "Requests for embeddings under way.", registry=to)
        self.waiting = Gauge("arfc_waiting_inputs", "Inputs that wait for a batch.", registry=to)
        self.batch_inputs = Histogram("arfc_batch_inputs", "Inputs of a batch.", buckets=BATCH_INPUTS, registry=to)
        self.batch_seconds = Histogram("arfc_batch_seconds", "Seconds of a batch.", buckets=REQUEST_S, registry=to)
        self.upstream_seconds = Histogram(
            "arfc_upstream_seconds",
            "Seconds that the upstream took, failures included.",
            buckets=REQUEST_S,
            registry=to,
        )

    def saw_batch(self, inputs: int, seconds: float) -> None:
        """Count a batch that has gone through."""
        self.batch_inputs.observe(inputs)
        self.batch_seconds.observe(seconds)

    def saw_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        self.requests.labels(path, str(status)).inc()
        self.seconds.labels(path).observe(seconds)

    def text(self) -> bytes:
        """Return what Prometheus reads."""
        return generate_latest(self._registry)
