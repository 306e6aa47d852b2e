"""The service: takes events, counts each exactly once, exposes the counts to Prometheus."""

from eddie_exporter.metrics import MetricsCollector

__all__ = ["MetricsCollector"]
