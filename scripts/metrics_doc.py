"""Write docs/metrics.md from the catalogue; ``--check`` says whether it is up to date, and writes nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from eddie_exporter.catalogue import CATALOGUE, Metric
from eddie_exporter.settings import DEFAULT_BUCKETS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

HEAD = """# Metrics

This page is made from the catalogue (`exporter/src/eddie_exporter/catalogue.py`) by `scripts/metrics_doc.py`.
Names, types and labels are a public promise. Every series carries `job="eddie-metrics"` and `instance` as well.

* Counters and histograms carry the time they began in OpenMetrics (`_created`), so that a series born at 1 counts
  in `increase()`; the shipped Prometheus runs with `--enable-feature=created-timestamp-zero-ingestion` for that.
* A value that finds no place (10 000 agents, 200 other values a label, 200 000 samples in all) is counted in the
  label value `__overflow__`: totals stay right.
* Histogram bounds in seconds: {buckets}.
* Gauges of an agent or a reported container leave after half an hour of silence (`EDDIE_GAUGE_TTL_SECONDS`), but not
  of an agent that has work in flight.

| Metric | Type | Labels | What it says |
|---|---|---|---|
"""


def row(metric: Metric) -> str:
    """Answer one line of the table."""
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |\n"


def page() -> str:
    """Answer the whole page."""
    buckets = " ".join(f"{bound:g}" for bound in DEFAULT_BUCKETS)
    return HEAD.format(buckets=buckets) + "".join(row(metric) for metric in CATALOGUE)


def main() -> int:
    """Write the page, or compare it; 1 when it differs."""
    if "--check" in sys.argv[1:]:
        same = PAGE.exists() and PAGE.read_text() == page()
        print("docs/metrics.md is up to date" if same else "docs/metrics.md differs: run python scripts/metrics_doc.py")
        return 0 if same else 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
