"""Checked: what a running Prometheus says of itself against what is committed here; each thing is one finding."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from existing import committed
from existing.committed import FEATURE, JOB, below, scalars, seconds
from existing.judged import Finding, judged
from existing.server import NoPrometheusError, NotAllowedError, NotToldError, Server

OLDEST = (2, 42)
"""The first Prometheus that knows `keep_firing_for`; an older one refuses the rule files."""
READS_CREATED = (2, 55)
"""The first Prometheus that reads created timestamps from OpenMetrics text."""
SKEW = 2.0
"""Seconds between two clocks that are kept in time by anything at all."""
PRINT = "put in what this script prints without --check, and reload"


@dataclass(frozen=True)
class Expected:
    """What is asked for beyond the committed files; empty means that any will do."""

    path: str
    target: str = ""
    environment: str = ""
    alertmanagers: tuple[str, ...] = ()
    retention: str = "15d"


@dataclass(frozen=True)
class Program:
    """Who answers: a version where it says one that can be compared with Prometheus's."""

    said: str
    version: tuple[int, ...] = ()


def identified(server: Server) -> Program:
    """Return who answers; raises NoPrometheusError for anything that does not speak Prometheus's API."""
    try:
        info = server.data("status/buildinfo")
    except NotToldError as first:
        try:
            server.data("query", query="vector(1)")
        except NotToldError as second:
            raise NoPrometheusError(f"not a Prometheus, or one that is starting: {second}") from first
        return Program("speaks Prometheus's API and does not say its version")
    said = {key: str(value) for key, value in info.items()} if isinstance(info, dict) else {}
    version = tuple(int(part) for part in re.findall(r"^(\d+)\.(\d+)", said.get("version", ""))[0:1] for part in part)
    name = said.get("application") or ("Prometheus" if version >= (2,) else "something that speaks Prometheus's API")
    return Program(f"{name} {said.get('version') or 'without a version'}", version if name == "Prometheus" else ())


class Checks:
    """All questions about one server, asked in the order in which one would mend what is missing."""

    def __init__(self, server: Server, program: Program, expected: Expected) -> None:
        self.server, self.program, self.expected = server, program, expected

    def all(self) -> Iterator[Finding]:
        """Yield each finding as soon as it is known; raises NoPrometheusError when the server goes away meanwhile."""
        yield self.version()
        checks: dict[str, Callable[[], Iterator[Finding]]] = {
            "configuration": self.loaded,
            "job": self.job,
            "feature flag": self.feature,
            "rules": self.rules,
            "origin label": self.origin,
            "alertmanager": self.alertmanager,
            "environment": self.environment,
            "retention": self.retention,
            "clock": self.clock,
        }
        for name, check in checks.items():
            try:
                yield from check()
            except (NotToldError, NotAllowedError) as error:
                yield Finding(name, "unknown", str(error), "ask the Prometheus that scrapes, at its own address")
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                said = f"an answer that Prometheus does not give ({type(error).__name__}: {error})"
                yield Finding(name, "unknown", said, "ask the Prometheus that scrapes, at its own address")

    def version(self) -> Finding:
        """Say who answers, and whether it is too old."""
        if self.program.version and self.program.version < OLDEST:
            return Finding("server", "wrong", self.program.said, "the rules' keep_firing_for needs 2.42: update it")
        return Finding("server", "ok", f"{self.program.said} at {self.server.url}")

    def configuration(self) -> list[str]:
        """Return the lines of the configuration in use."""
        return str(self.server.data("status/config")["yaml"]).splitlines()

    def loaded(self) -> Iterator[Finding]:
        """Say whether the last reload took the file that lies there."""
        if self.server.data("status/runtimeinfo").get("reloadConfigSuccess") is False:
            said = "the last reload was refused, an older configuration is in use"
            yield Finding("configuration", "wrong", said, "run `promtool check config` on its file, mend it, reload")
        else:
            yield Finding("configuration", "ok", "the last one that was read is in use")

    def job(self) -> Iterator[Finding]:
        """Say whether the job is there, each target is up, and how it is scraped."""
        active = self.server.data("targets", state="active")["activeTargets"]
        ours = [each for each in active if each["labels"].get("job") == JOB]
        pooled = [each for each in active if each.get("scrapePool") == JOB]
        known = f"- job_name: {JOB}" in self.configuration()
        if ours:
            yield Finding("job", "ok", f"{JOB}, {len(ours)} target(s)")
        elif pooled:
            got = pooled[0]["labels"].get("job")
            yield Finding("job", "wrong", f"expected the label job={JOB}, got {got}", "take out what relabels it")
        elif known:
            yield Finding(
                "job", "wrong", f"{JOB} is there and has no target", "if not just reloaded, name the exporter in it"
            )
        else:
            yield Finding("job", "missing", f"no job {JOB}", PRINT)
        wanted = self.expected.target
        if wanted and ours and wanted not in {urlsplit(each["scrapeUrl"]).netloc for each in ours}:
            yield Finding("target", "missing", f"none of them is {wanted}", PRINT)
        for each in ours:
            yield self.target(each)
            yield self.scrape(each)

    def target(self, found: dict[str, Any]) -> Finding:
        """Say whether a target is up, and quote its error."""
        url, health = found["scrapeUrl"], found["health"]
        if health == "up":
            return Finding("target", "ok", f"{url} is up")
        if health == "unknown":
            return Finding("target", "wrong", f"{url} was not scraped yet", "ask again after a scrape interval")
        error = " ".join(str(found.get("lastError", "")).split())
        advice = "is the exporter running, and reachable from there?"
        if re.search(r"status (401|403)", error):
            advice = "reads need a token: print again with --token-file, a file that Prometheus can read"
        return Finding("target", "wrong", f"{url} is {health}: {error}", advice)

    def scrape(self, found: dict[str, Any]) -> Finding:
        """Say whether a target is scraped as often, as patiently and at the path as the rules and panels reckon."""
        own = committed.job()
        url = urlsplit(found["scrapeUrl"])
        wanted = {"interval": own["scrape_interval"], "time-out": own["scrape_timeout"], "path": self.expected.path}
        got = {"interval": found["scrapeInterval"], "time-out": found["scrapeTimeout"], "path": url.path}
        wrong = [f"{key}: expected {wanted[key]}, got {got[key]}" for key in wanted if not _same(wanted[key], got[key])]
        if wrong:
            return Finding("scrape", "wrong", f"{url.netloc}: {'; '.join(wrong)}", PRINT)
        return Finding("scrape", "ok", f"{url.netloc}: every {got['interval']}, {got['path']}")

    def feature(self) -> Iterator[Finding]:
        """Say whether created timestamps are read; a version that cannot is told, and is as good as it gets."""
        flag, _ = committed.flag()
        on = FEATURE in str(self.server.data("status/flags").get("enable-feature", "")).split(",")
        if self.program.version and self.program.version < READS_CREATED:
            said = f"{self.program.said} does not read created timestamps (2.55 does): first events are not seen"
            yield Finding("feature flag", "ok", said)
        elif on:
            yield Finding("feature flag", "ok", FEATURE)
        else:
            yield Finding("feature flag", "missing", FEATURE, f"start it with {flag}")

    def rules(self) -> Iterator[Finding]:
        """Say of each shipped rule that is not so whether it is missing, other, twice or failing; count the rest."""
        groups = self.server.data("rules")["groups"]
        wanted = committed.rules()
        bad = [found for rule in wanted if (found := judged(rule, groups))]
        yield from bad
        if not bad:
            yield Finding("rules", "ok", f"all {len(wanted)} loaded, evaluated, and as committed")

    def origin(self) -> Iterator[Finding]:
        """Say whether Alertmanager can tell these alerts from Grafana's copies."""
        lines = below(below_top(self.configuration(), "alerting:"), "alert_relabel_configs:")
        if any(line.strip().endswith("target_label: origin") for line in lines):
            yield Finding("origin label", "ok", "alerts carry origin")
        else:
            said = "no alert_relabel_configs sets origin: Grafana's copy of an alert would page a second time"
            yield Finding("origin label", "missing", said, PRINT)

    def alertmanager(self) -> Iterator[Finding]:
        """Say whether alerts leave, and to the Alertmanager that was named."""
        active = [urlsplit(each["url"]).netloc for each in self.server.data("alertmanagers")["activeAlertmanagers"]]
        lacking = [each for each in self.expected.alertmanagers if each not in active]
        if not active or lacking:
            said = f"it knows {', '.join(active) or 'none'}" + (f", not {', '.join(lacking)}" if lacking else "")
            yield Finding("alertmanager", "missing", said, "print with --alertmanager HOST:PORT, put it in, reload")
        else:
            yield Finding("alertmanager", "ok", ", ".join(active))

    def environment(self) -> Iterator[Finding]:
        """Say which environment the notifications will name."""
        labels = scalars(below(below_top(self.configuration(), "global:"), "external_labels:"))
        got, wanted = labels.get("environment"), self.expected.environment
        if got is None:
            yield Finding("environment", "missing", "no external label environment", PRINT)
        elif not got or "$" in got or (wanted and got != wanted):
            advice = "change the external label, or ask with its --environment"
            yield Finding("environment", "wrong", f"expected {wanted or 'a name'}, got {got!r}", advice)
        else:
            yield Finding("environment", "ok", got)

    def retention(self) -> Iterator[Finding]:
        """Say whether it keeps as long as the dashboard looks back."""
        kept, wanted = self._kept(), self.expected.retention
        ages = [part for part in kept.split(" or ") if re.fullmatch(r"(\d+(ms|[smhdwy]))+", part)]
        if ages and seconds(ages[0]) < seconds(wanted):
            advice = f"start it with --storage.tsdb.retention.time={wanted}, or ask with your own --retention"
            yield Finding("retention", "wrong", f"expected {wanted} at least, got {kept}", advice)
        else:
            sized = kept not in ages
            yield Finding("retention", "ok", f"{kept} (a size may forget sooner)" if sized else kept)

    def _kept(self) -> str:
        """Return what it keeps, such as `15d or 50GiB`: as it says itself, else as its flags say."""
        said = self.server.data("status/runtimeinfo").get("storageRetention")
        if said:
            return str(said)
        flags = self.server.data("status/flags")
        age, size = (str(flags.get(f"storage.tsdb.retention.{kind}", "0")) for kind in ("time", "size"))
        sized = not re.fullmatch(r"0[A-Z]*i?B?", size)
        aged = not re.fullmatch(r"0(s|ms)?", age)
        return " or ".join([*([age] if aged else []), *([size] if sized else [])]) or "15d"

    def clock(self) -> Iterator[Finding]:
        """Say whether its clock and this machine's agree: an event stamped in its future is counted twice."""
        before = time.time()
        theirs = float(self.server.data("query", query="time()")["result"][1])
        after = time.time()
        apart = max(before - theirs, theirs - after, 0.0)
        if apart > SKEW:
            said = f"its clock and this machine's are {apart:.1f} s apart"
            yield Finding("clock", "wrong", said, "keep both in time (NTP): a series born in its future counts twice")
        else:
            yield Finding("clock", "ok", "within 2 s of this machine's")


def below_top(lines: list[str], head: str) -> list[str]:
    """Return what is below a key of the first depth: the same word may stand deeper, in somebody's job."""
    starts = [at for at, line in enumerate(lines) if line == head]
    return below(lines[starts[0] :], head) if starts else []


def _same(wanted: str, got: str) -> bool:
    try:
        return seconds(wanted) == seconds(got)
    except ValueError:
        return wanted == got
