"""What the registry counts. No label holds a name that somebody outside chooses."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class RegistryMetrics:
    """All metrics of one registry process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "modelberth_registry_requests", "Answers", ["method", "route", "code"], registry=self.registry
        )
        self.seconds = Histogram(
            "modelberth_registry_request_seconds",
            "How long a request took",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.urls = Counter("modelberth_registry_urls", "Presigned URLs", ["scope"], registry=self.registry)
        self.commits = Counter("modelberth_registry_commits", "Commits by outcome", ["result"], registry=self.registry)
        self.api_requests = Counter(
            "rest_client_requests", "Answers of the API server", ["code", "host", "method"], registry=self.registry
        )
        self.ready = Gauge("modelberth_registry_ready", "1 while requests are answered", registry=self.registry)

    def observe_api_request(self, method: str, host: str, code: str) -> None:
        """Count an answer of the API server."""
        self.api_requests.labels(code=code, host=host, method=method).inc()
