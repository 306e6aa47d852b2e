"""Station "alerted": Grafana's copies of three of Prometheus's alerts, and the one thing Prometheus cannot say itself.

Two engines watch one symptom, and one notification leaves (design §7): expression, wait and words are taken from
Prometheus's rule files, so the copies cannot drift, and everything goes to the same Alertmanager, marked
``origin="grafana"``, where Prometheus's own alert silences the copy.

``$`` in these files: Grafana expands ``${NAME}`` from its environment when it reads them, in labels and settings also a
bare ``$name`` (which would have to be ``$$name``), in query models nothing, in annotations ``${NAME}`` since 13 and
nothing in 12.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from dashboards.distributed_fallback import UID

COPIED = {"HighTimeoutEvents": 2, "FallbackDepthExceeded": 10, "HighFailureRate": 5}
"""The alerts of Prometheus that Grafana evaluates too, and the panel that shows each."""

PANEL_OF_PROMETHEUS_DOWN = 5
"""The first panel of the page: with Prometheus dead every panel shows the same error, and the page names its source."""

FOLDER = "Eddie"

INTERVAL = "30s"
"""Between evaluations; twice this + GROUP_INTERVAL must stay below Prometheus's keep_firing_for (design §7, "Last")."""

GROUP_WAIT = "5s"
"""Alertmanager holds Grafana's copies for longer than a minute anyway; here a wait would only add to it."""

GROUP_INTERVAL = "1m"
REPEAT_INTERVAL = "3m"
"""Grafana sends a firing alert again only so often and without an end time: REPEAT_INTERVAL + GROUP_INTERVAL must stay
below Alertmanager's resolve_timeout (5 m), else a firing alert is resolved and fires anew (design §7, "Repeat")."""

CONTACT_POINT = "alertmanager"

GRAFANA_URL = '{{ reReplaceAll "/*\\\\z" "" externalURL }}'
"""Where people find this Grafana: its own root_url, which every version's templates know."""

EXPORTER_URL = (
    '{{ reReplaceAll "^\\\\W.*" '
    '(reReplaceAll "^(https?://[^/:]+).*" "$1:8503" externalURL) "${EDDIE_EXPORTER_PUBLIC_URL}" }}'
)
"""Where people find the exporter. Grafana 13 has put the address in before the template runs; 12 leaves ``${…}``, which
begins with no word character: then it is this Grafana's host with the exporter's usual port."""

EVALUATORS = {">": "gt", "<": "lt", ">=": "gte", "<=": "lte"}


class RuleError(ValueError):
    """A rule of Prometheus cannot be copied into Grafana: change the rule, or teach this module its form."""


def files(rules: Path) -> dict[str, dict[str, Any]]:
    """Give the content of each file of ``provisioning/alerting`` by name; ``rules`` is Prometheus's folder of alerts.

    Raises RuleError when one of ``COPIED`` is not there or cannot be said in Grafana's form.
    """
    known = alerts(rules)
    missing = sorted(set(COPIED) - set(known))
    if missing:
        raise RuleError(f"expected the alerts {sorted(COPIED)} in {rules}/*.yml, {missing} not found: restore them")
    copies = [copy(known[name], panel) for name, panel in COPIED.items()]
    return {
        "rules.json": {
            "apiVersion": 1,
            "groups": [group("fallback", copies), group("prometheus", [prometheus_down()])],
        },
        "contact-points.json": {"apiVersion": 1, "contactPoints": [contact_point()]},
        "policies.json": {"apiVersion": 1, "policies": [policy()]},
    }


def alerts(rules: Path) -> dict[str, dict[str, Any]]:
    """Read every alert of Prometheus's rule files by its name."""
    loaded = [yaml.safe_load(path.read_text()) for path in sorted(rules.glob("*.yml"))]
    return {
        rule["alert"]: rule for file in loaded for part in file["groups"] for rule in part["rules"] if "alert" in rule
    }


def group(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Group rules that are evaluated one after another: one that hangs holds up only its own group."""
    return {"orgId": 1, "name": name, "folder": FOLDER, "interval": INTERVAL, "rules": rules}


def copy(alert: dict[str, Any], panel: int) -> dict[str, Any]:
    """Say Prometheus's ``alert`` as Grafana's rule; ``panel`` is the id it links to.

    No data is fine (nothing was ever counted; an exporter that is away has its own alert), and an error keeps the last
    state: a Prometheus that dies while something fires must not resolve it, nor fire the rest; PrometheusDown speaks.
    There is no keep_firing_for: Prometheus's own alert has one and must outlive this copy, never the reverse.
    """
    vector, operator, bound = comparison(alert["alert"], alert["expr"])
    return {
        **frame(alert["alert"], panel),
        "data": data(vector, operator, bound),
        "for": alert.get("for", "0s"),
        "noDataState": "OK",
        "execErrState": "KeepLast",
        "labels": labels(alert["labels"]["severity"]),
        "annotations": {name: annotation(text) for name, text in alert["annotations"].items()},
    }


def prometheus_down() -> dict[str, Any]:
    """Make the fourth rule: ``vector(1)`` is never below 1, so it fires only when Prometheus gives no answer."""
    links = {
        "runbook_url": "{{ $externalLabels.exporter_url }}/runbook#prometheusdown",
        "panel_url": f"{{{{ $externalLabels.grafana_url }}}}/d/{UID}?viewPanel={PANEL_OF_PROMETHEUS_DOWN}",
    }
    return {
        **frame("PrometheusDown", PANEL_OF_PROMETHEUS_DOWN),
        "data": data("vector(1)", "<", 1),
        "for": "1m",
        "noDataState": "Alerting",
        "execErrState": "Alerting",
        "labels": labels("critical"),
        "annotations": {
            "summary": "Prometheus does not answer",
            "description": "For more than a minute no query to Prometheus was answered. Nothing is scraped, recorded "
            "or alerted by it, and every panel is empty. The other alerts keep the state they had.",
            **{name: annotation(text) for name, text in links.items()},
        },
    }


def frame(name: str, panel: int) -> dict[str, Any]:
    """Give what makes a rule findable: a uid that never changes, the alert's name, the panel that shows it."""
    kebab = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
    return {"uid": f"eddie-{kebab}", "title": name, "condition": "B", "dashboardUid": UID, "panelId": panel}


def comparison(name: str, expression: str) -> tuple[str, str, float]:
    """Split ``vector > number``: Grafana draws the vector and the bound, and sees "below" instead of "no data"."""
    parsed = promql_parser.parse(expression)
    match = re.fullmatch(r"(?s)(.*?)\s*(>=|<=|>|<)\s*([0-9.]+)\s*", expression)
    if not isinstance(parsed, promql_parser.BinaryExpr) or match is None or str(parsed.op) != match[2]:
        raise RuleError(
            f"alert {name}: expected an expression `vector > number` (or <, >=, <=), got `{expression.strip()}`: "
            "write it so, or teach grafana/dashboards/alerting.py its form"
        )
    return " ".join(match[1].split()), match[2], float(match[3])


def data(vector: str, operator: str, bound: float) -> list[dict[str, Any]]:
    """Let query A ask Prometheus for one instant, and B, the condition, compare."""
    source = {"type": "prometheus", "uid": "prometheus"}
    query = {"refId": "A", "datasource": source, "editorMode": "code", "expr": vector, "instant": True, "range": False}
    conditions = [{"evaluator": {"type": EVALUATORS[operator], "params": [bound]}}]
    here = {"type": "__expr__", "uid": "__expr__"}
    threshold = {"refId": "B", "datasource": here, "type": "threshold", "expression": "A", "conditions": conditions}
    return [
        {"refId": "A", "relativeTimeRange": {"from": 300, "to": 0}, "datasourceUid": "prometheus", "model": query},
        {"refId": "B", "relativeTimeRange": {"from": 0, "to": 0}, "datasourceUid": "__expr__", "model": threshold},
    ]


def labels(severity: str) -> dict[str, str]:
    """Give the labels of a copy; ``environment`` is Prometheus's external label, which Grafana does not have."""
    return {"severity": severity, "origin": "grafana", "environment": "${EDDIE_ENVIRONMENT}"}


def annotation(text: str) -> str:
    """Say an annotation of Prometheus in Grafana's words.

    ``$value`` is a sentence in Grafana before 12 and ``$values.A.Value`` a number in all; ``query`` inside a template
    is answered with nothing, so those parts (who is worst) are left out instead of kept as dead text.
    """
    said = re.sub(r"(?s)\{\{-? *range query .*?\{\{-? *end *-?\}\}", "", text)
    said = re.sub(r"\$value\b", "$values.A.Value", " ".join(said.split()))
    linked = said.replace("{{ $externalLabels.grafana_url }}", GRAFANA_URL)
    linked = linked.replace("{{ $externalLabels.exporter_url }}", EXPORTER_URL)
    unknown = re.search(r"\$(externalLabels|externalURL)\b|\bquery\b *\"", linked)
    if unknown:
        raise RuleError(f"expected words Grafana knows, got `{unknown[0]}` in `{text.strip()}`: say it without")
    return linked


def contact_point() -> dict[str, Any]:
    """Point at the stack's own Alertmanager; Grafana's built-in one tells nobody."""
    receiver = {
        "uid": "eddie-alertmanager",
        "type": "prometheus-alertmanager",
        "disableResolveMessage": False,
        "settings": {"url": "${EDDIE_ALERTMANAGER_URL}"},
    }
    return {"orgId": 1, "name": CONTACT_POINT, "receivers": [receiver]}


def policy() -> dict[str, Any]:
    """Send all through one branch, Grafana's whole tree: grouping, silencing and routing are Alertmanager's work."""
    return {
        "orgId": 1,
        "receiver": CONTACT_POINT,
        "group_by": ["grafana_folder", "alertname"],
        "group_wait": GROUP_WAIT,
        "group_interval": GROUP_INTERVAL,
        "repeat_interval": REPEAT_INTERVAL,
    }
