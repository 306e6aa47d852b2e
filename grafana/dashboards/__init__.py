"""Station "panel": dashboards and Grafana's alert rules in Python; their JSON is generated."""
