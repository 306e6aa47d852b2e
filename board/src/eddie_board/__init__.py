"""The board: the dashboards of this house drawn from Prometheus's answers where no Grafana can be had."""

__version__ = "0.1.0"
