"""When the two engines look: the phases of their evaluations, so that an event can meet the one or the other first."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet.web import ask
from rig.asking import expect
from rig.engine import wait_for
from rig.stack import Stack

GRAFANA_LOGIN = {"Authorization": "Basic YWRtaW46cmln"}  # admin:rig, of a Grafana that lives for minutes


@dataclass(frozen=True)
class Moment:
    """A recurring look: one that happened (unix seconds), and the seconds between two."""

    last: float
    every: float

    def after(self, when: float) -> float:
        """Return the first look at or after ``when``."""
        return self.last + math.ceil((when - self.last) / self.every) * self.every


@dataclass(frozen=True)
class Looks:
    """Scrape of the exporter, evaluation of Prometheus's rules, evaluation of Grafana's."""

    scrape: Moment
    prometheus: Moment
    grafana: Moment

    def post_at(self, first: str, now: float) -> float | None:
        """Return when to post so that ``first`` ("prometheus" or "grafana") sees it first; None where it never can.

        An event is seen with the scrape after it, and by each engine with its evaluation after that.
        """
        margin = max(0.1, self.prometheus.every * 0.08)
        scrape = self.scrape.after(now + 2 * margin)
        for _ in range(20):
            prometheus, grafana = (each.after(scrape + margin) for each in (self.prometheus, self.grafana))
            gap = grafana - prometheus if first == "prometheus" else prometheus - grafana
            # Who looks while the scrape is under way may see the event or not.
            engines = (self.prometheus, self.grafana)
            clear = all(each.after(scrape - margin) >= scrape + margin for each in engines)
            if clear and gap > margin:
                return scrape - margin
            scrape += self.scrape.every
        return None


def grafana_rules(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return Grafana's rules by name, each with state, health, last evaluation and its alerts."""
    answer = ask(f"{stack.urls['grafana']}/api/prometheus/grafana/api/v1/rules", headers=GRAFANA_LOGIN)
    expect(answer.status == 200, f"expected Grafana's rules, got {answer.status}: {answer.text[:300]}")
    return {rule["name"]: rule for group in answer.json()["data"]["groups"] for rule in group["rules"]}


def prometheus_group(stack: Stack, name: str) -> dict[str, Any]:
    """Return one of Prometheus's rule groups."""
    groups: list[dict[str, Any]] = stack.prometheus("rules")["groups"]
    return next(group for group in groups if group["name"] == name)


def unix(text: str) -> float:
    """Return a timestamp of an API as unix seconds; 0 for the zero time of what did not happen yet."""
    return 0.0 if text.startswith("0001") else datetime.fromisoformat(text).timestamp()


def looks(stack: Stack, alert: str) -> Looks:
    """Measure the phases, once all three have happened."""

    def target() -> dict[str, Any]:
        active: list[dict[str, Any]] = stack.prometheus("targets", state="active")["activeTargets"]
        return next((each for each in active if each["scrapePool"] == "eddie-metrics"), {"lastScrape": "0001"})

    def all_happened() -> bool:
        happened = (
            target()["lastScrape"],
            prometheus_group(stack, "fallback")["lastEvaluation"],
            grafana_rules(stack).get(alert, {"lastEvaluation": "0001"})["lastEvaluation"],
        )
        return all(unix(each) for each in happened)

    expect(
        wait_for(all_happened, 120), "expected a scrape and an evaluation of both engines within 2 minutes, got none"
    )
    every = float(prometheus_group(stack, "fallback")["interval"])
    return Looks(
        Moment(unix(target()["lastScrape"]), every),
        Moment(unix(prometheus_group(stack, "fallback")["lastEvaluation"]), every),
        Moment(unix(grafana_rules(stack)[alert]["lastEvaluation"]), max(1.0, math.ceil(30 / stack.factor))),
    )


def shift(stack: Stack, number: int) -> None:
    """Move the scrape's phase: it follows from the target's labels, so the target gets another one."""
    file = stack.tree / "prometheus/targets/eddie-metrics.json"
    groups = json.loads(file.read_text())
    groups[0]["labels"] = {"drill": str(number)}
    file.write_text(json.dumps(groups))
    began = time.time()

    def scraped() -> bool:
        series = f'timestamp(up{{job="eddie-metrics",drill="{number}"}})'
        return max(stack.samples(series).values(), default=0.0) > began

    expect(wait_for(scraped, 60), "expected a scrape of the relabelled target within a minute, got none")
