"""Printed: the parts of a prometheus.yml that a Prometheus of somebody's own needs to scrape, record and judge."""

from __future__ import annotations

from dataclasses import dataclass, field

from existing import committed


@dataclass(frozen=True)
class Wanted:
    """What differs from one Prometheus to another; paths are as that Prometheus sees them."""

    target: str
    """The exporter's address, HOST:PORT."""
    scheme: str = "http"
    prefix: str = ""
    """Path before the exporter's own, where a proxy adds one."""
    ca_file: str = ""
    token_file: str = ""
    rules: str = str(committed.PROMETHEUS / "rules")
    environment: str = "default"
    alertmanagers: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    """External labels that make the alerts' links whole: `grafana_url`, `exporter_url`."""

    def path(self) -> str:
        """Return the path that is scraped."""
        return f"{self.prefix}{committed.job()['metrics_path']}"


def quoted(text: str) -> str:
    """Return a text as a YAML scalar that means nothing but itself."""
    return "'" + text.replace("'", "''") + "'"


def text(wanted: Wanted) -> str:
    """Return the whole text: YAML, and the flag as a comment, for it belongs on the command line."""
    flag, why = committed.flag()
    links = "".join(f"    {name}: {quoted(url)}\n" for name, url in wanted.links.items())
    rules = "".join(f"  - {quoted(wanted.rules + '/' + glob)}\n" for glob in committed.rule_globs())
    return f"""\
# For a Prometheus that already runs: how it scrapes, records and judges what eddie-metrics counts.
# A key that yours has too: put what is below it directly below yours. Any other: as it is, at the end of yours.
# docs/existing-prometheus.md shows it.

global:
  external_labels:
    # Part of every notification and of Alertmanager's grouping. If you have one, keep yours and leave this out.
    environment: {quoted(wanted.environment)}
{links}
rule_files:
{rules}
alerting:
  alert_relabel_configs:
{_relabelled(wanted)}{_alertmanagers(wanted)}
scrape_configs:
{_job(wanted)}
# On Prometheus's command line, not in this file:
#   {flag}
# {why}
# Before 2.55 Prometheus does not read them from this format; there the flag changes nothing, and everything else holds.
"""


def _relabelled(wanted: Wanted) -> str:
    links = "|".join(wanted.links)
    dropped = f"    - action: labeldrop\n      regex: {links}\n" if links else ""
    return f"""\
    # Alertmanager drops Grafana's copy of an alert while Prometheus's own fires; this is how it knows them apart.
    # Only alerts about this job are marked; all others leave as they did.
    - source_labels: [job]
      regex: {committed.JOB}
      target_label: origin
      replacement: prometheus
{dropped}"""


def _alertmanagers(wanted: Wanted) -> str:
    if not wanted.alertmanagers:
        return ""
    targets = ", ".join(map(quoted, wanted.alertmanagers))
    return f"  alertmanagers:\n    - static_configs:\n        - targets: [{targets}]\n"


def _job(wanted: Wanted) -> str:
    own = {**committed.job(), "metrics_path": wanted.path()}
    lines = [f"  - job_name: {committed.JOB}", *(f"    {key}: {value}" for key, value in own.items())]
    if wanted.scheme != "http":
        lines.append(f"    scheme: {wanted.scheme}")
    if wanted.ca_file:
        lines += ["    tls_config:", f"      ca_file: {quoted(wanted.ca_file)}"]
    if wanted.token_file:
        lines += ["    authorization:", f"      credentials_file: {quoted(wanted.token_file)}"]
    lines += ["    static_configs:", f"      - targets: [{quoted(wanted.target)}]"]
    return "\n".join(lines) + "\n"
