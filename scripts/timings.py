"""Alerted: the timings by which one symptom, watched by two engines, becomes one message; read from the files.

Design: Prometheus and Grafana judge the same symptom, both tell Alertmanager, and an inhibition drops Grafana's copy
while Prometheus's own alert is there. The inequalities below say when it is there in time, and stays long enough.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

UNITS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
    "w": Fraction(604800),
    "y": Fraction(31536000),
}
"""Seconds in each unit that Prometheus, Alertmanager and Grafana know."""

DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
"""A duration as the three programs write it: `5m`, `1m30s`, `1500ms`."""


class TimingsError(Exception):
    """A timing is not where it is expected; the message says which file and key to mend."""


def seconds(text: str) -> Fraction:
    """Length of a duration such as `1m30s`, in seconds; raises TimingsError when it is none."""
    if not re.fullmatch(DURATION, text):
        raise TimingsError(f"expected a duration such as 5m or 1m30s, got {text!r}")
    return sum((int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", text)), Fraction(0))


@dataclass(frozen=True, slots=True)
class Timings:
    """What the inequalities are made of, in seconds."""

    resend_delay: Fraction
    """After it Prometheus sends a firing alert again (prometheus/flags)."""
    evaluation: Fraction
    """The longest interval of a group of Prometheus's alerts."""
    keep_firing_for: Fraction
    """The shortest one among the alerts that Grafana copies."""
    copies_wait: Fraction
    """`group_wait` of Alertmanager's route for Grafana's copies."""
    resolve_timeout: Fraction
    """Alertmanager ends an alert without an end time this long after it last came."""
    grafana_evaluation: Fraction
    """The longest interval of a group of Grafana's rules."""
    grafana_group_interval: Fraction
    grafana_repeat_interval: Fraction
    late_keeps: Fraction
    """`keep_firing_for` of LateEventsArriving."""
    late_events_seen: Fraction
    """The longest time from an event to the end of an alert of Prometheus that it made, of those Grafana copies."""
    grafana_down_for: Fraction
    """`for` of Grafana's own rule, PrometheusDown, and its `group_wait` after it."""


@dataclass(frozen=True, slots=True)
class Inequality:
    """`longer` must be greater than `shorter`, both in seconds, or `otherwise` happens."""

    name: str
    longer: Fraction
    shorter: Fraction
    otherwise: str

    @property
    def holds(self) -> bool:
        """Whether it is true of the files."""
        return self.longer > self.shorter

    def __str__(self) -> str:
        """Both sides with their numbers, and what follows from a broken one."""
        sides = f"expected {float(self.longer):g} s > {float(self.shorter):g} s"
        return f"{self.name}: {sides}" + ("" if self.holds else f", which is broken: {self.otherwise}")


def inequalities(at: Timings) -> list[Inequality]:
    """List the timings that must hold; the first three are the design's, in its order."""
    return [
        Inequality(
            "First",
            at.copies_wait,
            at.resend_delay + at.evaluation,
            "after a restart of Alertmanager Grafana's copy pages before Prometheus has spoken again",
        ),
        Inequality(
            "Last",
            at.keep_firing_for,
            2 * at.grafana_evaluation + at.grafana_group_interval,
            "Prometheus's alert ends first and the freed copy is a second page",
        ),
        Inequality(
            "Repeat",
            at.resolve_timeout,
            at.grafana_repeat_interval + at.grafana_group_interval,
            "Alertmanager ends Grafana's alert between two repeats, and the next one is a new page",
        ),
        # An alert of a dead Prometheus ends four resend delays after it was last sent, at worst one before the death.
        Inequality(
            "Dead",
            3 * at.resend_delay,
            2 * at.grafana_evaluation + at.grafana_down_for,
            "Prometheus's alerts end before PrometheusDown holds Grafana's copies back, and they are second pages",
        ),
        Inequality(
            "Late",
            at.late_keeps,
            at.late_events_seen,
            "LateEventsArriving ends before what late events made, and that pages for what is over",
        ),
    ]


def read(root: Path) -> Timings:
    """Read the timings of the configuration in `root`, the repository or a copy derived from it."""
    prometheus = _yaml(root / "prometheus" / "prometheus.yml")
    groups = [
        group for path in sorted((root / "prometheus/rules/alerting").glob("*.yml")) for group in _yaml(path)["groups"]
    ]
    alerts = {rule["alert"]: rule for group in groups for rule in group["rules"]}
    whole = prometheus["global"]["evaluation_interval"]
    grafana = _grafana(root / "grafana" / "provisioning" / "alerting")
    copied = [alerts[name] for name in grafana["rules"] if name in alerts]
    if not copied:
        raise TimingsError("expected Grafana's rules to copy some of Prometheus's alerts by name, got none")
    down, policy = grafana["rules"]["PrometheusDown"], grafana["policy"]
    return Timings(
        resend_delay=seconds(_flag(root / "prometheus" / "flags", "--rules.alert.resend-delay")),
        evaluation=max(seconds(group.get("interval", whole)) for group in groups),
        keep_firing_for=min(seconds(rule["keep_firing_for"]) for rule in copied),
        copies_wait=seconds(_copies(_yaml(root / "alertmanager" / "parts" / "route.yml"))["group_wait"]),
        resolve_timeout=seconds(_yaml(root / "alertmanager" / "parts" / "global.yml")["global"]["resolve_timeout"]),
        grafana_evaluation=max(seconds(interval) for interval in grafana["intervals"]),
        grafana_group_interval=seconds(policy["group_interval"]),
        grafana_repeat_interval=seconds(policy["repeat_interval"]),
        late_keeps=seconds(alerts["LateEventsArriving"]["keep_firing_for"]),
        late_events_seen=max(_window(rule["expr"]) + seconds(rule["keep_firing_for"]) for rule in copied),
        grafana_down_for=seconds(down["for"]) + seconds(policy["group_wait"]),
    )


def _window(expression: str) -> Fraction:
    """Answer the longest window of an expression, as `[5m]` says it."""
    return max(map(seconds, re.findall(r"\[(\w+)\]", expression)), default=Fraction(0))


def _grafana(folder: Path) -> dict[str, Any]:
    """Collect the rules by title, the groups' intervals and the one policy of Grafana's provisioning."""
    files = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    groups = [group for file in files for group in file.get("groups", [])]
    policies = [policy for file in files for policy in file.get("policies", [])]
    if not groups or len(policies) != 1:
        raise TimingsError(
            f"expected rule groups and one policy in {folder}/*.json, got {len(groups)}, {len(policies)}"
        )
    return {
        "rules": {rule["title"]: rule for group in groups for rule in group["rules"]},
        "intervals": [group["interval"] for group in groups],
        "policy": policies[0],
    }


def _copies(part: dict[str, Any]) -> dict[str, Any]:
    """Find the route of Grafana's copies in Alertmanager's routing tree."""
    for route in part["route"]["routes"]:
        if route.get("matchers") == ['origin="grafana"']:
            found: dict[str, Any] = route
            return found
    raise TimingsError(
        """expected a route with matchers ['origin="grafana"'] in alertmanager/parts/route.yml, got none"""
    )


def _flag(path: Path, name: str) -> str:
    """Value of a flag in a file with one flag a line."""
    for line in path.read_text().splitlines():
        if line.startswith(f"{name}="):
            return line.removeprefix(f"{name}=")
    raise TimingsError(f"expected a line {name}=DURATION in {path}, got none")


def _yaml(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded
