"""The service: takes events, counts each exactly once, exposes the counts to Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eddie_exporter.metrics import MetricsCollector

__all__ = ["MetricsCollector"]


def __getattr__(name: str) -> Any:
    """Import the collector when it is asked for: the command must be able to say that its needs are missing."""
    if name == "MetricsCollector":
        from eddie_exporter.metrics import MetricsCollector  # noqa: PLC0415

        return MetricsCollector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
