"""The drill's four exercises: one symptom, two engines, and whatever happens to them, one message out and one back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet.web import ask
from rig.engine import PAUSE, wait_for
from rig.evaluations import grafana_rules, looks, shift, unix
from rig.stack import Stack

ALERT = "FallbackDepthExceeded"
DOWN = "PrometheusDown"
EVENT = {"kind": "fallback-depth-exceeded", "task_id": "drill", "depth": 4}
SHIFTS = 12  # tries for phases in which Grafana can be first: each succeeds more often than one in three


@dataclass(frozen=True)
class Row:
    """One line of the drill's table: what was looked at, what was expected, what was seen, whether that is fine."""

    exercise: str
    subject: str
    expected: str
    seen: str
    fine: bool


class Exercise:
    """One stack of real engines, and what was noted of it; ``say`` tells a person what goes on."""

    def __init__(self, name: str, folder: Path, factor: float, say: Callable[[str], None]) -> None:
        self.name, self.rows = name, list[Row]()
        self.stack = Stack(folder, factor=factor, grafana=True)
        self._say = say
        self._slack = 0.0 if factor == 1 else 3.0  # what programs need for themselves does not shrink with the factor

    def say(self, text: str) -> None:
        """Tell a person what happens, with the exercise's name."""
        self._say(f"{self.name}: {text}")

    def seconds(self, shipped: float) -> float:
        """Return how long to wait for what takes at most ``shipped`` seconds at shipped timings."""
        return shipped / self.stack.factor + self._slack

    def note(self, subject: str, expected: str, seen: object, *, fine: bool) -> None:
        """Add a line to the table."""
        self.rows.append(Row(self.name, subject, expected, str(seen), fine))
        self.say(f"{subject}: {seen}{'' if fine else f' - EXPECTED {expected}'}")

    def until(self, subject: str, expected: str, check: Callable[[], bool], within: float) -> None:
        """Wait for something and note how long it took, or that it did not come."""
        began = time.monotonic()
        fine = wait_for(check, self.seconds(within), every=0.2)
        seen = f"after {time.monotonic() - began:.0f} s" if fine else "no"
        self.note(subject, f"{expected} within {self.seconds(within):.0f} s", seen, fine=fine)

    def told(self, alert: str, status: str) -> int:
        """Return how many messages with this alert in this status arrived."""
        return sum(each.status == status for each in self.stack.sink.notifications(alert))

    def count(self, alert: str, firing: int, resolved: int) -> None:
        """Note how often an alert was told, against how often it should have been."""
        seen = (self.told(alert, "firing"), self.told(alert, "resolved"))
        wanted = (firing, resolved)
        words = "{} firing, {} resolved".format
        self.note(f"messages of {alert}", words(*wanted), words(*seen), fine=seen == wanted)

    def teller(self) -> None:
        """Note which engine's alert reached the person: Grafana's copy is for the day on which Prometheus cannot."""
        origins = sorted({each.labels["origin"] for each in self.stack.sink.notifications(ALERT)})
        self.note(f"who told {ALERT}", "prometheus", ", ".join(origins), fine=origins == ["prometheus"])

    def no_others(self) -> None:
        """Note alerts that nobody expected, the heartbeat excepted."""
        known = {ALERT, DOWN, "Watchdog"}
        if self.stack.factor != 1:
            known.add("ExporterDown")  # Prometheus reads target files after 5 s, whatever the factor
        others = sorted({each.alertname for each in self.stack.sink.notifications()} - known)
        self.note("messages of other alerts", "none", ", ".join(others) or "none", fine=not others)

    def wait(self, shipped: float, why: str) -> None:
        """Let time pass, so that what should not come could have come."""
        self.say(f"waiting {shipped / self.stack.factor:.0f} s: {why}")
        PAUSE.wait(shipped / self.stack.factor)

    # The steps that exercises share

    def start(self) -> None:
        """Start everything and see that Grafana's rules are there, evaluated and quiet."""
        self.stack.start("exporter", "prometheus", "alertmanager")
        self.wait(45, "rules know their targets before Grafana looks")
        self.stack.start("grafana")
        self.wait(65, "Grafana looks for the policies it was provisioned with once a minute")
        looks(self.stack, ALERT)
        rules = grafana_rules(self.stack)
        quiet = {f"{rule['health']} and {rule['state']}" for rule in rules.values()}
        seen = f"{len(rules)} rules, {', '.join(sorted(quiet))}"
        self.note("Grafana's rules before", wanted := "4 rules, ok and inactive", seen, fine=seen == wanted)

    def fire(self, first: str) -> None:
        """Post the one event so that the engine ``first`` sees it first, and see both engines fire and one message."""
        self._post(first)
        self.until("first message", "firing", lambda: self.told(ALERT, "firing") > 0, 60)
        self.until("Grafana fires too", "firing", lambda: grafana_rules(self.stack)[ALERT]["state"] == "firing", 90)
        self.until("Grafana's copy at Alertmanager", "suppressed", lambda: self._copies() == {"suppressed"}, 120)
        order = self._order()
        self.note("who saw it first", first, order, fine=order == first)

    def end(self) -> None:
        """Wait until the symptom is over, then long enough for a second page, and count."""
        self.until("last message", "resolved", lambda: self.told(ALERT, "resolved") > 0, 13 * 60)
        self.wait(240, "a freed copy would page now")
        self.count(ALERT, 1, 1)
        self.teller()
        self.no_others()

    def _post(self, first: str) -> None:
        for number in range(SHIFTS):
            at = looks(self.stack, ALERT).post_at(first, time.time())
            if at is not None:
                break
            self.say(f"with these phases {first} is never first; another one, {number + 1}")
            shift(self.stack, number)
        else:
            raise RuntimeError(f"expected phases in which {first} is first within {SHIFTS} tries, got none")
        PAUSE.wait(max(0.0, at - time.time()))
        self.stack.post(json.dumps([EVENT]).encode(), "application/json")
        self.say("a fallback is too deep")

    def _copies(self) -> set[str]:
        """Return the states in which Alertmanager holds Grafana's copies of the alert."""
        alerts = ask(f"{self.stack.urls['alertmanager']}/api/v2/alerts").json()
        labels = {"alertname": ALERT, "origin": "grafana"}
        return {each["status"]["state"] for each in alerts if labels.items() <= each["labels"].items()}

    def _order(self) -> str:
        prometheus = [
            each for each in self.stack.prometheus("alerts")["alerts"] if each["labels"]["alertname"] == ALERT
        ]
        grafana = grafana_rules(self.stack)[ALERT]["alerts"]
        if not prometheus or not grafana:
            return "one of them not at all"
        began = {"prometheus": unix(prometheus[0]["activeAt"]), "grafana": unix(grafana[0]["activeAt"])}
        return min(began, key=lambda name: began[name])


def grafana_first(exercise: Exercise) -> None:
    """Grafana evaluates before Prometheus: its copy waits, and is suppressed when Prometheus has spoken."""
    exercise.fire("grafana")
    exercise.end()


def prometheus_first(exercise: Exercise) -> None:
    """Prometheus evaluates before Grafana: the copy comes to an alert that is told already."""
    exercise.fire("prometheus")
    exercise.end()


def alertmanager_restarted(exercise: Exercise) -> None:
    """Alertmanager crashes and comes back while it fires: what was told is remembered, the copy still waits."""
    exercise.fire("prometheus")
    exercise.wait(30, "it fires, everybody knows")
    engine = exercise.stack.engines["alertmanager"]
    engine.kill()
    exercise.say("Alertmanager killed")
    exercise.wait(5, "it is away")
    engine.start()
    exercise.say("Alertmanager is back")
    exercise.end()


def prometheus_killed(exercise: Exercise) -> None:
    """Prometheus crashes while it fires: that is one new message, and the old symptom is none."""
    exercise.fire("prometheus")
    engine = exercise.stack.engines["prometheus"]
    engine.kill()
    exercise.say("Prometheus killed")
    exercise.until("Prometheus's death", f"{DOWN} firing", lambda: exercise.told(DOWN, "firing") > 0, 300)
    exercise.wait(360, "the dead engine's alert ends, and its copy could page")
    exercise.count(DOWN, 1, 0)
    exercise.note("pages of the symptom", "1", exercise.told(ALERT, "firing"), fine=exercise.told(ALERT, "firing") == 1)
    engine.start()
    exercise.say("Prometheus is back")
    exercise.until("its return", f"{DOWN} resolved", lambda: exercise.told(DOWN, "resolved") > 0, 300)
    exercise.wait(240, "a freed copy would page now")
    exercise.count(DOWN, 1, 1)
    exercise.count(ALERT, 1, 1)
    exercise.teller()
    exercise.no_others()


EXERCISES: dict[str, Callable[[Exercise], None]] = {
    "grafana first": grafana_first,
    "prometheus first": prometheus_first,
    "alertmanager restarted": alertmanager_restarted,
    "prometheus killed": prometheus_killed,
}


def run(
    name: str,
    folder: Path,
    factor: float,
    say: Callable[[str], None],
    *,
    spoil: Callable[[Stack], None] = lambda _: None,
) -> list[Row]:
    """Run one exercise with engines of its own and return its rows; what stops it is a row too.

    ``spoil`` may change the copied configuration before anything starts: that is how a test sees the drill fail.
    """
    folder.mkdir(parents=True)
    exercise = Exercise(name, folder, factor, say)
    with exercise.stack:
        spoil(exercise.stack)
        try:
            exercise.start()
            EXERCISES[name](exercise)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other exercises go on and the table says it
            exercise.note("the exercise itself", "runs to its end", f"{type(error).__name__}: {error}", fine=False)
    return exercise.rows
