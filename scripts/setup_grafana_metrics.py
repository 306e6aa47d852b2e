#!/usr/bin/env python3
"""Station "panel", in somebody's own Grafana: puts dashboards, data source and alerts there, and takes them away.

It reads the committed dashboard and rule JSON (grafana/provisioning), so no expression stands here. Nothing that is not
ours is changed: ours is what carries a uid of this script *and* its mark (docs/decisions/0006). One file, standard
library only, because it is copied to and run on machines that have nothing else; that is why it is long.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import copy
import difflib
import hashlib
import http.client
import json
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

FILES = Path(__file__).resolve().parent.parent / "grafana" / "provisioning"
DONE, USAGE, DRIFT, DENIED, TAKEN, REFUSED, UNVERIFIED = 0, 2, 3, 4, 5, 6, 7
RUN_WITH = ("12.2",)
"""Versions of Grafana this script was run against; any other is worth a line of warning."""
FOLDER_UID = "eddie-metrics"
SOURCE_MARK = "eddieEnvironment"
"""A data source is ours while its jsonData has this key; it names the environment. No page of Grafana shows it."""
TAG = "eddie:"
"""A dashboard is ours while it has this tag with the name of an environment that uses it, or lies in our folder."""
MARK = "installed_by"
"""A rule is ours while it has this annotation, which names the environment, or lies in our group."""
EDITABLE = {"X-Disable-Provenance": "true"}
"""Header that keeps a thing editable in the pages."""
MARKED = "eddie-metrics, environment "
TRANSIENT = {429, 500, 502, 503, 504}
TRIES = 4
HARMLESS = ("/api/ds/query",)
"""Calls that are a POST and write nothing: sent again like a GET."""
LONGEST_WAIT = 30.0
"""Seconds: a longer Retry-After is not waited for."""
ADMINS = {"datasources:create", "datasources:write", "datasources:delete"}
"""Permissions that of the basic roles only Admin has."""
CHANGES: dict[str, dict[str, tuple[str, ...]]] = {
    kind: {"create": (f"{of}:create", *more), "update": (f"{of}:write", *more), "remove": (f"{of}:delete", *more)}
    for kind, of, more in (
        ("data source", "datasources", ()),
        ("folder", "folders", ()),
        ("dashboard", "dashboards", ()),
        ("alert rules", "alert.rules", ("alert.provisioning.provenance:write",)),
    )
} | {
    "contact point": dict.fromkeys(
        ("create", "update", "remove"), ("alert.notifications:write", "alert.provisioning.provenance:write")
    )
}
"""Permissions a change needs, by the kind of thing and what is done."""

Json = dict[str, Any]


class SetupError(Exception):
    """What ends the run: ``code`` is the exit status, the words say what was expected, got, and what to do."""

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.code = code


class TransientError(SetupError):
    """Worth another try: nothing answered, or something asked to come back later (``after`` seconds)."""

    def __init__(self, words: str, after: float = 0.0) -> None:
        super().__init__(words, REFUSED)
        self.after = after


class AnswerError(SetupError):
    """An answer with a status that means no; ``status`` is HTTP's."""

    def __init__(self, words: str, code: int, status: int) -> None:
        super().__init__(words, code)
        self.status = status


# --- asking ---------------------------------------------------------------------------------------------------------


@dataclass
class Api:
    """One HTTP API: adds credentials, tries again where that makes sense, and turns every fault into one line."""

    url: str
    name: str
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    tls: ssl.SSLContext | None = None
    last: ClassVar[str] = ""
    """What was asked last, of whomever: an answer that nobody can read is said with it."""

    def ask(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Any:
        """Return the JSON of an answer, None of an empty one. A POST that may have been done is not sent again."""
        for attempt in range(1, TRIES + 1):
            try:
                return self.once(method, path, body, headers)
            except TransientError as error:
                answered = error.after > 0
                once = method == "POST" and path not in HARMLESS
                if attempt == TRIES or (once and not answered) or error.after > LONGEST_WAIT:
                    raise
                time.sleep(error.after or 0.5 * 2**attempt)
        raise AssertionError("the loop returns or raises")

    def once(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Ask without a second try. Raises TransientError where another one makes sense."""
        sent = None if body is None else json.dumps(body).encode()
        kinds = {"Accept": "application/json", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data=sent, method=method)  # noqa: S310  see address()
        for key, value in {**kinds, **self.headers, **(headers or {})}.items():
            request.add_header(key, value)
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=self.tls), NoRedirect()]
        if is_loopback(self.url):
            handlers.append(urllib.request.ProxyHandler({}))
        where = f"{self.name} at {self.url}"
        Api.last = f"{where} to {method} {path}"
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=self.timeout) as answer:
                status, text, kind, after = answer.status, answer.read(), answer.headers.get_content_type(), ""
        except urllib.error.HTTPError as error:
            status, text, kind = error.code, b"", error.headers.get_content_type()
            after = error.headers.get("Retry-After") or ""
            with error, contextlib.suppress(OSError, http.client.HTTPException):  # half a body: the status says enough
                text = error.read()
        except (ssl.SSLError, urllib.error.URLError) as error:
            raise network_fault(where, getattr(error, "reason", error)) from None
        except (OSError, ValueError, EOFError) as error:  # a reset, a time-out, half an answer
            raise TransientError(f"{where} broke off: {plain(error)}") from None
        except Exception as error:  # noqa: BLE001  http.client's own errors share no useful base
            raise TransientError(f"{where} gave no valid HTTP answer: {plain(error)}") from None
        return self._read(f"{method} {path}", status, text, kind, after)

    def _read(self, call: str, status: int, text: bytes, kind: str, after: str) -> Any:
        where = f"{self.name} at {self.url}"
        said = shortened(text)
        if status in TRANSIENT:
            wait = float(after) if re.fullmatch(r"\d{1,6}", after) else (1.0 if status in {429, 503} else 0.0)
            raise TransientError(f"{where} answered {status} to {call}: {said}", wait)
        if status == 401:
            mine = "does not take this token or password (401): make a new one"
            words = mine if "Authorization" in self.headers else "wants credentials (401), and it is asked without any"
            raise AnswerError(f"{where} {words}", DENIED, status)
        if status == 403:
            raise AnswerError(denied(call, text), DENIED, status)
        if status == 407 or (300 <= status < 400):
            raise AnswerError(
                f"{where}: a proxy or login page answered ({status}); give Grafana's own address", REFUSED, status
            )
        if "json" not in kind and text.strip() and status != 404:
            raise AnswerError(
                f"{where} answered {kind} instead of JSON: is a proxy's page there, or not {self.name}?",
                REFUSED,
                status,
            )
        if status >= 400:
            code = TAKEN if status in {409, 412} else REFUSED
            raise AnswerError(f"{where} refused {call} ({status}): {said}", code, status)
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            raise TransientError(f"{where} answered broken JSON to {call}: {said}") from None

    def find(self, path: str) -> Any:
        """Return the JSON at ``path``, None where there is none."""
        try:
            return self.ask("GET", path)
        except AnswerError as error:
            if error.status == 404:
                return None
            raise


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect of an API call leads to a login page: it is said, never followed with our token."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""


def is_loopback(url: str) -> bool:
    """Tell whether no proxy may see this address."""
    host = urllib.parse.urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def network_fault(where: str, reason: object) -> SetupError:
    """Say why no answer came; a certificate will not get better by asking again."""
    if isinstance(reason, ssl.SSLError):
        words = f"{where}: TLS failed: {plain(reason)}; give --ca-file, or http:// where it speaks no TLS"
        return SetupError(words, REFUSED)
    return TransientError(f"{where} does not answer: {plain(reason)}")


def plain(error: object) -> str:
    """Give an error's words on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def shortened(text: bytes) -> str:
    """Give what an answer says, on one line, without markup."""
    words = text.decode(errors="replace")
    try:
        said = json.loads(words)
        if isinstance(said, dict):
            results = said.get("results")
            inner = results.values() if isinstance(results, dict) else ()
            faults = [str(one["error"]) for one in inner if isinstance(one, dict) and one.get("error")]
            words = str(said.get("message") or said.get("error") or "; ".join(dict.fromkeys(faults)) or words)
    except ValueError:
        words = re.sub(r"<[^>]*>", " ", words)
    return " ".join(words.split())[:300] or "nothing"


def denied(call: str, text: bytes) -> str:
    """Name the permission a 403 is about and the role that has it."""
    needed = re.findall(r"[a-z.]+(?::[a-z.]+)?:[a-z]+(?=\b)", re.sub(r"^.*[Pp]ermissions needed:", "", shortened(text)))
    names = ", ".join(dict.fromkeys(needed)) or "not named by Grafana"
    return f"{call}: permission missing: {names}; the role {role_for(needed)} has it, unless it is restricted there"


def role_for(permissions: list[str]) -> str:
    """Give the lowest basic role that has all of ``permissions``."""
    if ADMINS & set(permissions):
        return "Admin"
    reads = permissions and all(name.endswith((":read", ":query")) for name in permissions)
    return "Viewer" if reads else "Editor"


# --- what is wanted -------------------------------------------------------------------------------------------------


def slug(environment: str) -> str:
    """Give an environment's part of a uid: itself while it is short, for a rule's uid has 40 characters at most."""
    return (
        environment
        if len(environment) <= 10
        else f"{environment[:3]}{hashlib.sha256(environment.encode()).hexdigest()[:7]}"
    )


@dataclass
class Wanted:
    """What the committed files ask for, in one environment's words."""

    environment: str
    dashboards: list[Json]
    groups: list[Json]
    timings: Json
    slow: bool = True

    @classmethod
    def read(cls, environment: str, files: Path) -> Wanted:
        """Read the generated files. Raises SetupError where they are not beside this script."""
        try:
            found = [json.loads(path.read_text()) for path in sorted((files / "dashboards").glob("*.json"))]
            groups = json.loads((files / "alerting" / "rules.json").read_text())["groups"]
            policy = json.loads((files / "alerting" / "policies.json").read_text())["policies"][0]
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise SetupError(
                f"expected the committed files in {files}, got: {plain(error)}; run it in a checkout", USAGE
            ) from None
        timings = {name: policy[name] for name in ("group_wait", "group_interval", "repeat_interval")}
        return cls(environment, found, groups, timings)

    def rule(self, committed: Json, source: str, group: str, receiver: str | None) -> Json:
        """Give a committed rule as the API takes it, with the uid of a data source and the name of a contact point."""
        rule = copy.deepcopy(committed)
        rule["uid"] = f"eddie-{slug(self.environment)}-{rule['uid'].removeprefix('eddie-')}"
        rule["title"] = f"{rule['title']} ({self.environment})"
        rule["ruleGroup"], rule["folderUID"], rule["isPaused"] = group, FOLDER_UID, False
        rule["labels"] = {k: self._expanded(v) for k, v in rule["labels"].items()}
        rule["annotations"] = {k: self._expanded(v) for k, v in rule["annotations"].items()}
        rule["annotations"]["panel_url"] += f"&var-datasource={source}"
        rule["annotations"]["__dashboardUid__"] = rule.pop("dashboardUid")
        rule["annotations"]["__panelId__"] = str(rule.pop("panelId"))
        rule["annotations"][MARK] = f"{MARKED}{self.environment}"
        for query in rule["data"]:
            if query["datasourceUid"] != "__expr__":
                query["datasourceUid"] = query["model"]["datasource"]["uid"] = source
        rule["notification_settings"] = receiver and {"receiver": receiver, **self.timings}
        return rule

    def _expanded(self, text: str) -> str:
        """Write out what Grafana's file provisioning would have expanded."""
        exporter = os.environ.get("EDDIE_EXPORTER_PUBLIC_URL", "").rstrip("/")
        text = text.replace("${EDDIE_ENVIRONMENT}", self.environment).replace("$$", "$")
        return text.replace("${EDDIE_EXPORTER_PUBLIC_URL}", exporter) if exporter else text


def resolved(dashboard: Json, source: str) -> Json:
    """Choose ``source`` in the dashboard's data source variable; nothing else in it names one."""
    made = copy.deepcopy(dashboard)
    for variable in made["templating"]["list"]:
        if variable["type"] == "datasource":
            variable["current"] = {**variable["current"], "value": source, "text": source}
    return made


# --- the things -----------------------------------------------------------------------------------------------------


@dataclass
class Thing:
    """One thing in Grafana: what is there, what is wanted, and how it is written and removed."""

    name: str
    read: Callable[[], Json | None]
    want: Callable[[Json | None], Json | None]
    """What is wanted, given what is there; None: it shall not be there."""
    write: Callable[[Json | None, Json], Any]
    remove: Callable[[Json], Any]
    foreign: Callable[[Json], str] = lambda _: ""
    """Why what is there is not ours; empty when it is."""
    quiet: bool = False
    """Worth no line while nothing is to be done."""

    def plan(self) -> tuple[str, Json | None, Json | None]:
        """Return the action (create, update, remove, unchanged), what is there, and what is wanted."""
        there = self.read()
        if there is not None and (why := self.foreign(there)):
            raise SetupError(f"{self.name}: {why}", TAKEN)
        wanted = self.want(there)
        if there is None:
            return ("unchanged" if wanted is None else "create"), there, wanted
        if wanted is None:
            return "remove", there, wanted
        return ("unchanged" if contains(there, wanted) else "update"), there, wanted


def absent(thing: Thing) -> Thing:
    """Turn a thing into its absence; one that is not ours may stay."""

    def ours() -> Json | None:
        there = thing.read()
        return None if there is None or thing.foreign(there) else there

    return replace(thing, read=ours, want=lambda _: None, quiet=True)


def contains(there: Any, wanted: Any) -> bool:
    """Tell whether all of ``wanted`` is in ``there``; Grafana adds keys of its own, lists have to be as long."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(contains(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(there, list) and len(there) == len(wanted)
        return same and all(contains(a, b) for a, b in zip(there, wanted, strict=True))
    return bool(there == wanted)


def reduced(there: Any, wanted: Any) -> Any:
    """Take out of ``there`` what ``wanted`` says nothing about, so that a diff shows what would change."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        return {key: reduced(there.get(key), value) for key, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(there, list) and len(there) == len(wanted):
        return [reduced(a, b) for a, b in zip(there, wanted, strict=True)]
    return there


def difference(there: Json | None, wanted: Json | None) -> list[str]:
    """Say a change as a diff of JSON."""
    old = json.dumps(reduced(there, wanted), indent=1, sort_keys=True, ensure_ascii=False).splitlines() if there else []
    new = json.dumps(wanted, indent=1, sort_keys=True, ensure_ascii=False).splitlines() if wanted else []
    return [line for line in difflib.unified_diff(old, new, lineterm="", n=1) if not line.startswith(("---", "+++"))]


# --- would every symptom page twice? ------------------------------------------------------------------------------

DOWN = "PrometheusDown"
"""The alert only Grafana can raise; while it fires, its other alerts keep an old state and are no news."""


def missing_yaml(names: list[str]) -> list[str]:
    """Write what an Alertmanager needs, so that each of the alerts ``names`` is told once.

    A rule's title holds the environment and is the `alertname` of Grafana's alert, whatever labels say; so each name
    has an inhibition of its own, and `environment` keeps two environments apart.
    """
    lines = ["# Add to the Alertmanager's configuration, reload it, and run this script again:", "inhibit_rules:"]
    for name in names:
        lines += [
            f"""  - source_matchers: ['alertname="{name}"', 'origin!="grafana"']""",
            f"""    target_matchers: ['alertname=~"{name} .+"', 'origin="grafana"']""",
            "    equal: [environment]",
        ]
    return [
        *lines,
        f"""  - source_matchers: ['alertname=~"{DOWN} .+"']""",
        f"""    target_matchers: ['alertname!~"{DOWN} .+"', 'origin="grafana"']""",
        "    equal: [environment]",
        "route:",
        "  routes:",
        "    # Before all others, and longer than Prometheus's resend delay and one evaluation.",
        """    - matchers: ['origin="grafana"']""",
        "      group_wait: 90s",
        "      receiver: YOURS  # who is told",
    ]


LONG_ENOUGH = 76.0
"""Seconds Grafana's copy has to wait: Prometheus's resend delay (1 m) and one evaluation (15 s) are shorter."""


def yaml_as_printed(text: str) -> Any:
    """Read the YAML an Alertmanager prints of its own configuration: block maps and lists, one scalar a line.

    It is printed by one library in one style, so a reader of that style does; what it does not know is a ValueError.
    """
    lines = [(len(raw) - len(raw.lstrip()), raw.strip()) for raw in text.splitlines() if raw.strip()]
    value, rest = _block(lines, 0, -1)
    if rest != len(lines):
        raise ValueError(f"line {lines[rest][1]!r} is not understood")
    return value


def _block(lines: list[tuple[int, str]], at: int, above: int) -> tuple[Any, int]:
    if at >= len(lines) or lines[at][0] < above:
        return None, at
    indent, first = lines[at]
    if first.startswith("- ") or first == "-":
        items = []
        while at < len(lines) and lines[at][0] == indent and (lines[at][1].startswith("- ") or lines[at][1] == "-"):
            inner = lines[at][1][2:]
            if re.match(r"[\w.-]+:(\s|$)", inner):
                lines[at] = (indent + 2, inner)
                item, at = _block(lines, at, indent + 1)
            else:
                item, at = _scalar(inner), at + 1
            items.append(item)
        return items, at
    found: Json = {}
    while at < len(lines) and lines[at][0] == indent and not lines[at][1].startswith("- "):
        key, colon, value = lines[at][1].partition(":")
        if not colon:
            raise ValueError(f"line {lines[at][1]!r} is not understood")
        at += 1
        if value.strip() in {"|", "|-", "|+", ">", ">-", ">+"}:
            while at < len(lines) and lines[at][0] > indent:
                at += 1
            found[key] = ""
        elif value.strip():
            found[key] = _scalar(value.strip())
            while at < len(lines) and lines[at][0] > indent:  # a long scalar goes on in the next line
                at += 1
        else:
            is_list = at < len(lines) and lines[at][0] == indent and lines[at][1].startswith("-")
            found[key], at = _block(lines, at, indent if is_list else indent + 1)
    return found, at


def _scalar(text: str) -> Any:
    if text[:1] == '"':
        return json.loads(text)
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    if text in {"[]", "{}"}:
        return [] if text == "[]" else {}
    return {"true": True, "false": False, "null": None}.get(text, text)


def seconds(text: str) -> float:
    """Read a duration as Prometheus writes it (``1m30s``)."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


def matches(matchers: list[str], labels: dict[str, str]) -> bool:
    """Tell whether every matcher (``name="value"``, ``!=``, ``=~``, ``!~``) holds; a label that is absent is empty."""
    for text in matchers:
        read = re.fullmatch(r"\s*\"?([\w.:]+)\"?\s*(=~|!~|!=|=)\s*(\".*\"|[^\"].*|)\s*", text)
        if read is None:
            raise ValueError(f"the matcher {text!r} is not understood")
        name, operator, value = read[1], read[2], json.loads(read[3]) if read[3][:1] == '"' else read[3]
        have = labels.get(name, "")
        held = re.fullmatch(value, have) is not None if "~" in operator else have == value
        if held == (operator[0] == "!"):
            return False
    return True


def _old_and_new(node: Json, old: str, new: str) -> list[str]:
    """Give matchers in today's form, with those of the old keys (``match``, ``match_re``) among them."""
    equal = [f"{name}={json.dumps(value)}" for name, value in (node.get(old) or {}).items()]
    pattern = [f"{name}=~{json.dumps(value)}" for name, value in (node.get(f"{old}_re") or {}).items()]
    return [*(node.get(new) or []), *equal, *pattern]


def inhibited(config: Json, source: dict[str, str], target: dict[str, str]) -> bool:
    """Tell whether an alert with the labels ``source`` silences one with ``target``."""
    for rule in config.get("inhibit_rules") or []:
        sources = _old_and_new(rule, "source_match", "source_matchers")
        targets = _old_and_new(rule, "target_match", "target_matchers")
        same = all(source.get(name, "") == target.get(name, "") for name in rule.get("equal") or [])
        if same and matches(sources, source) and matches(targets, target):
            return True
    return False


def waits(route: Json, labels: dict[str, str], inherited: float = 30.0) -> Iterator[float]:
    """Yield the ``group_wait`` in seconds of each route an alert ends in."""
    own = seconds(route["group_wait"]) if route.get("group_wait") else inherited
    reached = False
    for child in route.get("routes") or []:
        if matches(_old_and_new(child, "match", "matchers"), labels):
            yield from waits(child, labels, own)
            reached = True
            if not child.get("continue"):
                break
    if not reached:
        yield own


def pages_twice(rules: list[Json], copies: dict[str, Json], prometheus: str, status: Json | None) -> str:
    """Say why each symptom would be told twice; empty when it would not.

    ``rules`` are Prometheus's alerts and ``prometheus`` its configuration; ``copies`` are ours for Grafana by the name
    Prometheus's has; ``status`` is what Alertmanager says of itself, None where it says nothing.
    """
    loaded = {rule["name"]: rule for rule in rules}
    both = {name: rule for name, rule in copies.items() if name in loaded}
    if not both:
        return ""
    names = ", ".join(both)
    if status is None:
        return f"Prometheus alerts on {names} too, and no common Alertmanager answers (--alertmanager-url)"
    try:
        config = yaml_as_printed(status["config"]["original"])
        sent = {name: as_sent(prometheus, {**loaded[name].get("labels", {}), "alertname": name}) for name in both}
        faults = [not_told_once(config, name, rule, sent[name]) for name, rule in both.items()]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, re.error) as error:
        return f"Prometheus alerts on {names} too, and a configuration is not understood: {plain(error)}"
    return next(filter(None, faults), "")


def not_told_once(config: Json, name: str, rule: Json, source: dict[str, str]) -> str:
    """Say what an Alertmanager lacks so that Grafana's copy ``rule`` of an alert is dropped; empty when nothing."""
    target = {**rule["labels"], "alertname": rule["title"], "grafana_folder": "Eddie"}
    if not inhibited(config, source, target):
        ours, theirs = target["environment"], source.get("environment")
        differ = f"; its alerts have the label environment {theirs!r}, ours {ours!r}: say that name as --environment"
        words = f"Prometheus alerts on {name} too, and no inhibition in Alertmanager drops Grafana's copy"
        return words + ("" if theirs == ours else differ)
    down = {**target, "alertname": f"{DOWN} {rule['title'].partition(' ')[2]}", "severity": "critical"}
    if not inhibited(config, down, target):
        return f"no inhibition in Alertmanager drops Grafana's {name} while {DOWN} fires"
    if min(waits(config["route"], target)) < LONG_ENOUGH:
        return f"Grafana's copy of {name} does not wait for Prometheus's: its route has no group_wait of 90s"
    return ""


# --- the plan -----------------------------------------------------------------------------------------------------


@dataclass
class Setup:
    """All things of one environment in one Grafana, in the order they are made."""

    api: Api
    wanted: Wanted
    options: argparse.Namespace
    say: Callable[..., None]
    source: str = ""
    """The uid of the data source in use."""
    own_source: str = ""
    """The uid a data source of ours has."""
    known: Any = None
    """The permissions this user has by name, None where Grafana does not tell."""

    def beside(self, name: str, url: str) -> Api:
        """Return another program's API, asked without Grafana's credentials."""
        return Api(normal(url), name, {}, self.api.timeout, self.api.tls)

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.wanted.environment

    @property
    def receiver(self) -> str | None:
        """The name of our contact point, None where the user's own policies send our alerts."""
        return self.receiver_name if self.options.alertmanager_url else None

    @property
    def receiver_name(self) -> str:
        """The name our contact point has where there is one."""
        return f"Eddie Alertmanager ({self.environment})"

    @property
    def folder(self) -> str:
        """The title of a new folder; one that is there keeps its own unless --folder was given."""
        return str(self.options.folder or "Eddie")

    def seen(self, path: str) -> Any:
        """Return the folder or dashboard at ``path``; None where there is none, or none for this user.

        To anybody but Admin a folder that is not there is one that may not be seen, and so is a dashboard for half a
        minute after it went.
        """
        try:
            return self.api.find(path)
        except AnswerError as error:
            kind = "folders:read" if "/folders/" in path else "dashboards:read"
            if error.status != 403 or not isinstance(self.known, dict) or kind not in self.known:
                raise
            return None

    def sources(self, environment: str | None = None) -> list[Json]:
        """Return the Prometheus data sources there are, of them only ours of one environment where it is given."""
        found = [one for one in self.api.ask("GET", "/api/datasources") if one["type"] == "prometheus"]
        return [one for one in found if environment is None or source_mark(one) == environment]

    def rules(self) -> list[Json]:
        """Return every alert rule of this Grafana."""
        return list(self.api.ask("GET", "/api/v1/provisioning/alert-rules"))

    def others(self, dashboard: Json | None) -> set[str]:
        """Return the other environments that live here, by any mark of theirs: one mark may have been edited away."""
        found = {tag.removeprefix(TAG) for tag in tags_of(dashboard or {})}
        found |= {source_mark(one) for one in self.sources()}
        found |= {rule_mark(rule) for rule in self.rules()}
        return found - {"", self.environment}

    def choose_source(self) -> None:
        """Find the data source to use: the one asked for, ours, somebody's with that address, a new one.

        Another environment's is passed over: the dashboard's choice of a data source is the choice of an environment.
        """
        ours = [one["uid"] for one in self.sources(self.environment)]
        usual = f"eddie-prometheus-{slug(self.environment)}"
        self.own_source = self.source = str(self.options.datasource_uid or next(iter(ours), usual))
        if ours or self.options.datasource_uid or not self.options.prometheus_url:
            return
        same = [one for one in self.sources("") if normal(one["url"]) == normal(self.options.prometheus_url)]
        same.sort(key=lambda one: (not one.get("isDefault"), one["name"]))
        self.source = same[0]["uid"] if same else self.own_source

    def shown(self) -> list[Thing]:
        """List what shows: the data source where it is ours, the folder, the dashboards."""
        made = [self.source_thing(self.own_source)] if self.source == self.own_source else []
        return [*made, self.folder_thing(), *map(self.dashboard_thing, self.wanted.dashboards)]

    def alerts(self, leave_out: list[str]) -> list[Thing]:
        """List what alerts; ``leave_out`` are names of alerts that would page twice."""
        groups = [self.group_thing(group, leave_out) for group in self.wanted.groups]
        point = self.contact_thing()
        if self.options.no_alerts:
            return [*map(absent, groups), absent(point)]
        return [point, *groups] if self.receiver else [*groups, absent(point)]

    def source_thing(self, uid: str) -> Thing:
        """Describe a data source of ours."""
        name = self.options.datasource_name or f"Eddie Prometheus ({self.environment})"
        jsons = {
            "timeInterval": "15s",
            "httpMethod": "POST",
            "prometheusType": "Prometheus",
            SOURCE_MARK: self.environment,
        }
        wanted = {"uid": uid, "name": name, "type": "prometheus", "access": "proxy",
                  "url": self.options.prometheus_url, "jsonData": jsons}  # fmt: skip
        path = f"/api/datasources/uid/{uid}"

        def foreign(there: Json) -> str:
            if source_mark(there) == self.environment:
                return ""
            if self.options.datasource_uid and normal(there["url"]) == normal(self.options.prometheus_url or ""):
                return ""
            return f"the uid {uid} belongs to a data source that is not ours; choose another --datasource-uid"

        def want(there: Json | None) -> Json | None:
            if there is None:
                return wanted
            if source_mark(there) != self.environment:
                return {"uid": uid}
            kept = {} if self.options.datasource_name else {"name": there["name"]}
            return {**wanted, **kept}

        def write(there: Json | None, new: Json) -> Any:
            if there is None:
                return self.api.ask("POST", "/api/datasources", new)
            kept = {key: value for key, value in there.items() if key not in {"version", "id"}}
            return self.api.ask("PUT", path, {**kept, **new, "jsonData": {**(there.get("jsonData") or {}), **jsons}})

        return Thing(f"data source {name}", lambda: self.api.find(path), want, write,
                     lambda _: self.api.ask("DELETE", path), foreign)  # fmt: skip

    def folder_thing(self) -> Thing:
        """Describe the folder of all environments."""
        path = f"/api/folders/{FOLDER_UID}"

        def write(there: Json | None, new: Json) -> Any:
            if there is not None:
                return self.api.ask("PUT", path, {"title": new["title"], "overwrite": True})
            try:
                return self.api.ask("POST", "/api/folders", new)
            except AnswerError as error:
                if error.status in {409, 412}:  # there after all: made a moment ago, or hidden from this user
                    self.api.ask("GET", path)
                raise

        def want(there: Json | None) -> Json:
            kept = there is not None and not self.options.folder
            return {"uid": FOLDER_UID} if kept else {"uid": FOLDER_UID, "title": self.folder}

        return Thing(f"folder {self.folder}", lambda: self.seen(path), want, write,
                     lambda _: self.api.ask("DELETE", f"{path}?forceDeleteRules=false"))  # fmt: skip

    def dashboard_thing(self, committed: Json) -> Thing:
        """Describe a dashboard, shared by all environments: each has a tag on it."""
        uid = committed["uid"]

        def read() -> Json | None:
            found = self.seen(f"/api/dashboards/uid/{uid}")
            if found is None:
                return None
            return {**found["dashboard"], "folderUid": found["meta"].get("folderUid", ""),
                    "provisioned": bool(found["meta"].get("provisioned"))}  # fmt: skip

        def foreign(there: Json) -> str:
            if there["provisioned"]:
                return "is provisioned from files by somebody else; nothing to do here, or remove it there first"
            if tags_of(there) or there["folderUid"] == FOLDER_UID:
                return ""
            return f"the uid {uid} belongs to a dashboard that is not ours; give that one another uid"

        def want(there: Json | None) -> Json:
            # Whoever was first chose the data source the page opens with; another environment leaves it so.
            chosen = there and current_source(there)
            source = chosen if chosen and self.api.find(f"/api/datasources/uid/{chosen}") else self.source
            tags = sorted(f"{TAG}{name}" for name in {*self.others(there), self.environment})
            return {**resolved(committed, source), "tags": [*committed["tags"], *tags], "folderUid": FOLDER_UID}

        return Thing(f"dashboard {committed['title']}", read, want, self._save,
                     lambda _: self.api.ask("DELETE", f"/api/dashboards/uid/{uid}"), foreign)  # fmt: skip

    def _save(self, there: Json | None, new: Json) -> Any:
        board = {key: value for key, value in new.items() if key != "folderUid"}
        extra = {"version": there["version"]} if there else {}
        sent = {"dashboard": {**board, **extra}, "folderUid": FOLDER_UID, "overwrite": there is not None,
                "message": f"eddie-metrics, environment {self.environment}"}  # fmt: skip
        return self.api.ask("POST", "/api/dashboards/db", sent)

    def contact_thing(self) -> Thing:
        """Describe the contact point, which only our rules name."""
        uid, name = f"eddie-alertmanager-{slug(self.environment)}", self.receiver_name
        wanted = {"uid": uid, "name": name, "type": "prometheus-alertmanager", "disableResolveMessage": False,
                  "settings": {"url": self.options.alertmanager_url}}  # fmt: skip
        path = "/api/v1/provisioning/contact-points"

        def read() -> Json | None:
            found = [one for one in self.api.ask("GET", path) if uid == one["uid"] or one["name"] == name]
            return min(found, key=lambda one: bool(one["uid"] != uid), default=None)

        def foreign(there: Json) -> str:
            if there["uid"] != uid:
                return "a contact point that is not ours has this name; rename that one"
            return "" if there["type"] == wanted["type"] else f"the uid {uid} belongs to something that is not ours"

        def write(there: Json | None, new: Json) -> Any:
            if there is None:
                return self.api.ask("POST", path, new, headers=EDITABLE)
            kept = {**there, **new, "settings": {**there["settings"], **new["settings"]}}
            return self.api.ask("PUT", f"{path}/{uid}", kept, headers=EDITABLE)

        return Thing(f"contact point {name}", read, lambda _: wanted, write,
                     lambda _: self.api.ask("DELETE", f"{path}/{uid}", headers=EDITABLE), foreign)  # fmt: skip

    def group_thing(self, committed: Json, leave_out: list[str]) -> Thing:
        """Describe a group of alert rules. Ours that were moved elsewhere are its ``strays``."""
        title = f"eddie-{self.environment}-{committed['name']}"
        rules = [self.wanted.rule(rule, self.source, title, self.receiver)
                 for rule in committed["rules"] if rule["title"] not in leave_out]  # fmt: skip
        ours = {f"eddie-{slug(self.environment)}-{rule['uid'].removeprefix('eddie-')}" for rule in committed["rules"]}
        path = f"/api/v1/provisioning/folder/{FOLDER_UID}/rule-groups/{urllib.parse.quote(title)}"

        def read() -> Json | None:
            all_rules = self.rules()
            here = [one for one in all_rules if (one["folderUID"], one["ruleGroup"]) == (FOLDER_UID, title)]
            strays = [one for one in all_rules if one["uid"] in ours and one not in here]
            group: Json | None = self.api.find(path) if here else None
            if strays:
                group = {**(group or {"title": title, "folderUid": FOLDER_UID, "rules": []}), "strays": strays}
            return group

        def foreign(there: Json) -> str:
            named = [one["uid"] for one in there.get("strays", []) if rule_mark(one) != self.environment]
            return f"the uid {named[0]} belongs to a rule that is not ours; delete that one" if named else ""

        def want(there: Json | None) -> Json | None:
            # A rule that somebody put into our group stays there: a PUT without it would delete it.
            theirs = [rule for rule in (there or {}).get("rules", []) if rule["uid"] not in ours]
            both = [*rules, *theirs]
            group = {"title": title, "folderUid": FOLDER_UID, "interval": int(seconds(committed["interval"]))}
            strays: Json = {"strays": []} if (there or {}).get("strays") else {}
            return {**group, "rules": both, **strays} if both else None

        def write(there: Json | None, new: Json) -> None:
            self._remove_strays(there or {})
            self._put_group(path, new)

        return Thing(f"alert rules {title}", read, want, write,
                     lambda there: self._remove_rules(path, there, ours), foreign)  # fmt: skip

    def _put_group(self, path: str, group: Json) -> None:
        self.api.ask("PUT", path, {key: group[key] for key in group if key != "strays"}, headers=EDITABLE)

    def _remove_strays(self, there: Json) -> None:
        for rule in there.get("strays", []):
            self.api.ask("DELETE", f"/api/v1/provisioning/alert-rules/{rule['uid']}", headers=EDITABLE)

    def _remove_rules(self, path: str, there: Json, ours: set[str]) -> None:
        """Remove our rules; the group goes with the last one, and one of somebody else's keeps it."""
        self._remove_strays(there)
        kept = [rule for rule in there["rules"] if rule["uid"] not in ours]
        if kept:
            self._put_group(path, {**there, "rules": kept})
        elif there["rules"]:
            self.api.ask("DELETE", path, headers=EDITABLE)


def source_mark(source: Json) -> str:
    """Return the environment a data source of ours belongs to; empty where it is somebody else's."""
    return str((source.get("jsonData") or {}).get(SOURCE_MARK) or "")


def rule_mark(rule: Json) -> str:
    """Return the environment a rule of ours belongs to; empty where it is somebody else's."""
    mark = str((rule.get("annotations") or {}).get(MARK, ""))
    return mark.removeprefix(MARKED) if mark.startswith(MARKED) else ""


def normal(url: str) -> str:
    """Give an address one form: no trailing slash, no usual port, host in lower case; what is none stays as it is."""
    try:
        parts = urllib.parse.urlsplit(url if "//" in url else f"http://{url}")
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        port = "" if parts.port in {None, usual} else f":{parts.port}"
    except ValueError:  # somebody's own, such as http://prometheus:${PORT}
        return url
    return f"{parts.scheme}://{(parts.hostname or '').lower()}{port}{parts.path.rstrip('/')}"


def tags_of(dashboard: Json) -> set[str]:
    """Return our tags of a dashboard, one for each environment."""
    return {tag for tag in dashboard.get("tags") or [] if tag.startswith(TAG)}


def current_source(dashboard: Json) -> str:
    """Return the uid of the data source a dashboard opens with."""
    variables = dashboard.get("templating", {}).get("list", [])
    return next(
        (str(one.get("current", {}).get("value", "")) for one in variables if one.get("type") == "datasource"), ""
    )


# --- carrying it out ----------------------------------------------------------------------------------------------


@dataclass
class Report:
    """What was found and done, a line a thing; with ``--json`` one object at the end."""

    as_json: bool
    lines: list[Json] = field(default_factory=list)

    def __call__(self, action: str, name: str, words: str = "", diff: list[str] | None = None) -> None:
        """Say one thing."""
        self.lines.append({"action": action, "name": name, "words": words, "diff": diff or []})
        if not self.as_json:
            print(
                f"{action:<10} {name}{': ' if words else ''}{words}",
                *(f"    {line}" for line in diff or []),
                sep="\n",
                flush=True,
            )

    def end(self, code: int) -> int:
        """Close the report; returns ``code``."""
        if self.as_json:
            print(json.dumps({"exit": code, "things": self.lines}, indent=1, ensure_ascii=False))
        return code


PAST = {"create": "created", "update": "updated", "remove": "removed", "unchanged": "unchanged"}


def settle(thing: Thing, say: Callable[..., None]) -> None:
    """Bring one thing to what is wanted. Whoever was cut off in between is found again by its uid."""
    for attempt in range(1, TRIES + 1):
        action, there, wanted = thing.plan()
        try:
            if action == "remove" and there is not None:
                thing.remove(there)
            elif action != "unchanged" and wanted is not None:
                thing.write(there, wanted)
        except SetupError as error:
            known = isinstance(error, TransientError) or getattr(error, "status", 0) in {404, 409, 412}
            if not known or attempt == TRIES:
                raise
            continue
        if action != "unchanged" or not thing.quiet:
            say(PAST[action], thing.name, "", difference(there, wanted) if action == "update" else None)
        return


def install(setup: Setup) -> int:
    """Make everything, then prove it. What shows comes first: Prometheus may be reached only through it."""
    permitted(setup, [*setup.shown(), *setup.alerts([])])
    for thing in setup.shown():
        settle(thing, setup.say)
    leave_out, why = ([], "") if setup.options.no_alerts else double_paging(setup)
    for thing in setup.alerts(leave_out):
        settle(thing, setup.say)
    if why:
        words = f"{why}; add what is missing, then run this again"
        setup.say("left out", ", ".join(leave_out), words, missing_yaml(leave_out))
    return verify(setup, leave_out)


def check(setup: Setup, *, dry: bool) -> int:
    """Name what differs (``--check``: exit 3) or what would be done (``--dry-run``: exit 0); writes nothing."""
    leave_out, why = ([], "") if setup.options.no_alerts else double_paging(setup)
    drift = False
    for thing in [*setup.shown(), *setup.alerts(leave_out)]:
        action, there, wanted = thing.plan()
        if action == "unchanged":
            if not thing.quiet:
                setup.say(action, thing.name)
            continue
        drift = True
        setup.say(f"would {action}" if dry else "differs", thing.name, "", difference(there, wanted))
    if why:
        setup.say("left out", ", ".join(leave_out), why, missing_yaml(leave_out))
    return DRIFT if not dry and (drift or why) else DONE


def uninstall(setup: Setup) -> int:
    """Take away what this script made for one environment, and the shared things with the last of them."""
    gone = [setup.group_thing(group, []) for group in setup.wanted.groups]
    gone = [absent(thing) for thing in [*gone, setup.contact_thing()]]
    boards = [leaving(setup, committed) for committed in setup.wanted.dashboards]
    sources = [absent(setup.source_thing(one["uid"])) for one in setup.sources(setup.environment)]
    permitted(setup, [*gone, *boards, *sources])
    for thing in [*gone, *boards]:
        take_away(setup, thing)
    for thing in sources:
        remove_source(setup, thing)
    remove_folder(setup)
    return DONE


def take_away(setup: Setup, thing: Thing) -> None:
    """Remove one thing, if it is there and ours; what others have come to use stays, and that is said."""
    try:
        settle(replace(thing, quiet=False), setup.say)
    except AnswerError as error:
        if error.status != 409:
            raise
        setup.say("kept", thing.name, f"{error}; uninstall again when nothing uses it")


def leaving(setup: Setup, committed: Json) -> Thing:
    """Give a dashboard without our environment's tag, and no dashboard without a tag."""
    thing = setup.dashboard_thing(committed)

    def want(there: Json | None) -> Json | None:
        others = setup.others(there)
        if there is None or not others:
            return None
        mine = {one["uid"] for one in setup.sources(setup.environment)}
        theirs = [one["uid"] for one in setup.sources() if source_mark(one) in others]
        asked = [
            query["datasourceUid"] for rule in setup.rules() if rule_mark(rule) in others for query in rule["data"]
        ]
        chosen = [current_source(there), *theirs, *asked]
        source = next((uid for uid in chosen if uid not in {*mine, "__expr__"}), chosen[0])
        tags = [*committed["tags"], *sorted(f"{TAG}{name}" for name in others)]
        return {**resolved(committed, source), "tags": tags, "folderUid": FOLDER_UID}

    return replace(absent(thing), want=want)


def remove_source(setup: Setup, thing: Thing) -> None:
    """Remove our data source, unless a rule that stays asks it."""
    there = thing.read()
    uid = there and there["uid"]
    users = [rule["title"] for rule in setup.rules() if any(query["datasourceUid"] == uid for query in rule["data"])]
    if users:
        setup.say("kept", thing.name, f"used by {', '.join(users)}; uninstall again when nothing uses it")
        return
    take_away(setup, thing)


def remove_folder(setup: Setup) -> None:
    """Remove our folder once nothing is in it."""
    thing = setup.folder_thing()
    if thing.read() is None:
        setup.say("unchanged", thing.name)
        return
    counts = setup.api.find(f"/api/folders/{FOLDER_UID}/counts") or {}
    inside = [f"{number} of kind {kind}" for kind, number in sorted(counts.items()) if number]
    inside += [rule["title"] for rule in setup.rules() if rule["folderUID"] == FOLDER_UID]
    if inside:
        setup.say("kept", thing.name, f"holds {', '.join(inside)}")
        return
    permitted(setup, [absent(thing)])
    take_away(setup, absent(thing))


# --- proving it ---------------------------------------------------------------------------------------------------


def verify(setup: Setup, leave_out: list[str]) -> int:
    """Ask Grafana whether it works: the data source, every panel's queries, every rule. Returns the exit code."""
    good = verify_source(setup)
    for committed in setup.wanted.dashboards:
        good = verify_panels(setup, committed) and good
    if not setup.options.no_alerts:
        good = verify_rules(setup, leave_out) and good
    for committed in setup.wanted.dashboards:
        query = urllib.parse.urlencode({"var-datasource": setup.source})
        setup.say("open", committed["title"], f"{setup.api.url}/d/{committed['uid']}?{query}")
    if not setup.options.no_alerts:
        setup.say(
            "open",
            "alert rules",
            f"{setup.api.url}/alerting/list?search={urllib.parse.quote(f'eddie-{setup.environment}')}",
        )
    return DONE if good else UNVERIFIED


def verify_source(setup: Setup) -> bool:
    """Ask the data source for its health."""
    words = ""
    try:
        health = setup.api.ask("GET", f"/api/datasources/uid/{setup.source}/health")
        if not isinstance(health, dict) or health.get("status") != "OK":
            words = str((health or {}).get("message", "no health"))
    except (AnswerError, TransientError) as error:
        if error.code == DENIED:
            raise
        words = str(error)
    setup.say("FAILED" if words else "verified", f"data source {setup.source}", words)
    return not words


def verify_panels(setup: Setup, dashboard: Json) -> bool:
    """Ask every panel's queries as the page would; an answer without data is fine, an error is not."""
    values = {one["name"]: one.get("allValue") or ".*" for one in dashboard["templating"]["list"]}
    values |= {one["name"]: setup.source for one in dashboard["templating"]["list"] if one["type"] == "datasource"}
    good = True
    for panel in dashboard["panels"]:
        queries = []
        for target in panel.get("targets", []):
            text = re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda m: values.get(m[1] or m[2], m[0]), json.dumps(target))
            queries.append({**json.loads(text), "maxDataPoints": 100, "intervalMs": 15000})
        faults, empty = ask_panel(setup, queries) if queries else ([], False)
        words = "; ".join(faults) if faults else "no data yet" if empty else ""
        setup.say("FAILED" if faults else "verified", f"panel {panel['title']}", words)
        good = good and not faults
    return good


def ask_panel(setup: Setup, queries: list[Json]) -> tuple[list[str], bool]:
    """Return what is wrong with a panel's queries, and whether they were answered without data."""
    try:
        answers = setup.api.ask("POST", "/api/ds/query", {"queries": queries, "from": "now-1h", "to": "now"})
        results = list(answers["results"].values())
    except (AnswerError, TransientError) as error:
        if error.code == DENIED:
            raise
        return [str(error)], False
    except (KeyError, TypeError, AttributeError):
        return ["expected results of a query, got something else"], False
    faults = [str(one["error"]) for one in results if one.get("error")]
    frames = [frame for one in results for frame in one.get("frames") or []]
    return faults, not any(frame["data"]["values"] and frame["data"]["values"][0] for frame in frames)


def verify_rules(setup: Setup, leave_out: list[str]) -> bool:
    """Wait until each rule was evaluated, one interval at most, and say how it went."""
    groups = setup.wanted.groups
    names = [rule["title"] for group in groups for rule in group["rules"] if rule["title"] not in leave_out]
    titles = [f"{name} ({setup.environment})" for name in names]
    until = time.monotonic() + max(seconds(group["interval"]) for group in groups) + 15
    while True:
        known = setup.api.ask("GET", "/api/prometheus/grafana/api/v1/rules")["data"]["groups"]
        found = {rule["name"]: rule for group in known for rule in group["rules"]}
        waiting = [
            title for title in titles if str(found.get(title, {}).get("lastEvaluation", "0001")).startswith("0001")
        ]
        if not waiting or time.monotonic() > until:
            break
        time.sleep(1.0)
    good = True
    for title in titles:
        rule = found.get(title, {})
        ok = title not in waiting and rule.get("health") in {"ok", "nodata"}
        words = (
            "" if ok else "not evaluated yet" if title in waiting else str(rule.get("lastError") or rule.get("health"))
        )
        setup.say("verified" if ok else "FAILED", f"alert rule {title}", words)
        good = good and ok
    return good


# --- from the command line ----------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Name every option, with where its value comes from when it is not given."""
    made = argparse.ArgumentParser(
        description=str(__doc__).split("\n\n")[0],
        epilog="exit: 0 done, 2 usage, 3 drift or a part left out (--check), 4 permission missing, 5 something not"
        " ours is in the way, 6 no or a wrong answer, 7 what was set up does not work",
    )
    made.add_argument("--grafana-url", required=True, help="address of your Grafana")
    made.add_argument("--prometheus-url", help="address of Prometheus as Grafana reaches it")
    made.add_argument(
        "--alertmanager-url", help="Alertmanager the alerts go to; without it, your own policies send them"
    )
    made.add_argument("--api-key", help="token of a service account (a file is safer: --token-file)")
    made.add_argument("--token-file", default=os.environ.get("EDDIE_GRAFANA_TOKEN_FILE"), help="file with the token")
    made.add_argument("--user", help="user name, with --password-file")
    made.add_argument("--password-file", help="file with the user's password")
    made.add_argument("--folder", help="title of the folder (a new one is called Eddie)")
    made.add_argument("--datasource-name", help="name of a new data source")
    made.add_argument("--datasource-uid", help="uid of the data source to use, or to make")
    made.add_argument("--org-id", type=int, help="organisation, where the user has several")
    made.add_argument("--environment", default="default", help="name of this environment: 1-40 of A-Z a-z 0-9 _ -")
    made.add_argument("--no-alerts", action="store_true", help="no alert rules, no contact point")
    what = made.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="show the plan as a diff, write nothing")
    what.add_argument("--check", action="store_true", help="exit 3 when something differs, each thing named")
    what.add_argument("--uninstall", action="store_true", help="remove what this script made, and only that")
    made.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    made.add_argument("--ca-file", help="certificates to trust")
    made.add_argument("--insecure", action="store_true", help="do not check certificates")
    made.add_argument("--timeout", type=float, default=10.0, help="seconds an answer may take")
    made.add_argument("--wait", type=float, default=60.0, help="seconds a Grafana that is starting is waited for")
    return made


def credentials(options: argparse.Namespace) -> dict[str, str]:
    """Return the header that says who we are. Raises SetupError when nothing, half of it or too much was given."""
    if bool(options.user) != bool(options.password_file) or (options.user and options.api_key):
        raise SetupError("expected --token-file or --api-key alone, or --user and --password-file together", USAGE)
    if options.api_key:
        print(
            "warning: a token on the command line is seen by every user of this machine; use --token-file",
            file=sys.stderr,
        )
        return {"Authorization": bearer(options.api_key, "--api-key")}
    if options.user:
        pair = f"{options.user}:{secret(options.password_file)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if options.token_file:
        return {"Authorization": bearer(secret(options.token_file), options.token_file)}
    raise SetupError(
        "expected --token-file, --api-key, or --user with --password-file; a service account's token is best", USAGE
    )


def bearer(token: str, where: str) -> str:
    """Give a token as a header; one that no header can hold is refused here, for http.client would print it."""
    if not (token.isascii() and token.isprintable()):
        raise SetupError(f"expected a token of printable ASCII in {where}, got other characters (a line end?)", USAGE)
    return f"Bearer {token}"


def secret(name: str) -> str:
    """Read a secret's file."""
    try:
        found = Path(name).read_text().strip()
    except (OSError, ValueError) as error:
        raise SetupError(f"expected a file with a secret at {name}, got: {plain(error)}", USAGE) from None
    if not found or not found.isprintable():
        raise SetupError(f"expected one line of printable text in {name}, got none or more", USAGE)
    return found


def address(text: str | None, option: str) -> str:
    """Check an address and take its trailing slash off."""
    try:
        parts = urllib.parse.urlsplit(text or "")
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, fine = urllib.parse.SplitResult("", "", "", "", ""), False
    if parts.username is not None:
        raise SetupError(f"{option}: expected an address without a password in it", USAGE)
    if not fine or parts.query or parts.fragment or re.search(r"\s", text or ""):
        raise SetupError(f"{option}: expected an address such as http://127.0.0.1:3000, got {text!r}", USAGE)
    return str(text).rstrip("/")


def tls(options: argparse.Namespace) -> ssl.SSLContext:
    """Decide which certificates are believed."""
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SetupError(f"--ca-file: expected certificates in {options.ca_file}, got: {plain(error)}", USAGE) from None
    if options.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def reach(api: Api, wait: float, say: Callable[..., None]) -> None:
    """Wait for Grafana to be up, make sure that it is one, and say which. Raises SetupError."""
    until = time.monotonic() + wait
    while True:
        try:
            health = api.once("GET", "/api/health")
        except TransientError as error:
            if time.monotonic() > until:
                raise
            say("waiting", "Grafana", str(error))
            time.sleep(min(2.0, max(0.1, wait / 10)))
            continue
        break
    if not isinstance(health, dict) or "database" not in health:
        raise SetupError(f"{api.url} is not a Grafana: its /api/health has no `database`", REFUSED)
    version = str(health.get("version", "")) or str(
        (api.ask("GET", "/api/frontend/settings").get("buildInfo") or {}).get("version", "")
    )
    if not version.startswith(tuple(f"{one}." for one in RUN_WITH)):
        say("warning", f"Grafana {version or 'of unknown version'}", f"this was run against {', '.join(RUN_WITH)} only")


def permitted(setup: Setup, things: list[Thing]) -> None:
    """Compare what the changes need with what this user may; silent where Grafana does not tell."""
    known = setup.known
    needed = [name for thing in things for name in needs(thing.name, thing.plan()[0])]
    missing = [name for name in dict.fromkeys(needed) if isinstance(known, dict) and name not in known]
    if missing:
        words = f"permission missing: {', '.join(missing)}; the role {role_for(missing)} has it. Nothing was written"
        raise SetupError(words, DENIED)


def needs(name: str, action: str) -> tuple[str, ...]:
    """List the permissions that changing a thing needs."""
    return next(changes for kind, changes in CHANGES.items() if name.startswith(f"{kind} ")).get(action, ())


def double_paging(setup: Setup) -> tuple[list[str], str]:
    """Find out which alerts would be told twice, and why.

    Raises SetupError where Prometheus says neither directly nor through Grafana which rules it has.
    """
    rules = [rule for group in setup.wanted.groups for rule in group["rules"] if rule["title"] != DOWN]
    copies = {rule["title"]: setup.wanted.rule(rule, setup.source, "", None) for rule in rules}
    try:
        loaded = ask_prometheus(setup, "/api/v1/rules?type=alert", "groups")
        config = ask_prometheus(setup, "/api/v1/status/config", "yaml")
    except SetupError as error:
        if setup.options.dry_run and setup.api.find(f"/api/datasources/uid/{setup.source}") is None:
            setup.say("warning", "Prometheus", f"{error}; whether its alerts are the same is seen at setup")
            return [], ""
        raise
    status = None
    if setup.options.alertmanager_url:
        try:
            status = setup.beside("Alertmanager", setup.options.alertmanager_url).ask("GET", "/api/v2/status")
        except SetupError as error:
            setup.say("warning", "Alertmanager", f"{error}; whether Grafana reaches it is not known")
    why = pages_twice([rule for group in loaded for rule in group["rules"]], copies, config, status)
    return (sorted(copies) if why else []), why


def as_sent(config: str, labels: dict[str, str]) -> dict[str, str]:
    """Give the labels an alert of Prometheus leaves with: its configuration adds some and rewrites them."""
    parts = {}
    for key in ("global", "alerting"):
        found = re.search(rf"(?m)^{key}:\n((?:[ ].*\n?)*)", config)
        parts[key] = (yaml_as_printed(found[1]) if found else None) or {}
    sent = {**(parts["global"].get("external_labels") or {}), **labels}
    for step in parts["alerting"].get("alert_relabel_configs") or []:
        action, pattern = step.get("action", "replace"), step.get("regex", "(.*)")
        if action == "labeldrop":
            sent = {name: value for name, value in sent.items() if not re.fullmatch(pattern, name)}
        if action == "replace" and step.get("target_label"):
            joined = step.get("separator", ";").join(sent.get(name, "") for name in step.get("source_labels") or [])
            if match := re.fullmatch(pattern, joined):
                template = re.sub(r"\$\{?(\d)\}?", r"\\g<\1>", step.get("replacement", "$1"))
                sent[step["target_label"]] = match.expand(template)
    return sent


def ask_prometheus(setup: Setup, path: str, key: str) -> Any:
    """Ask Prometheus itself, or through Grafana where its address is known only there."""
    try:
        return data_of(setup.beside("Prometheus", setup.options.prometheus_url), path, key)
    except SetupError as error:
        try:
            return data_of(setup.api, f"/api/datasources/proxy/uid/{setup.source}{path}", key)
        except SetupError:
            raise SetupError(f"{error}; it has to say which alerts it has, or say --no-alerts", REFUSED) from None


def data_of(api: Api, path: str, key: str) -> Any:
    """Return ``key`` of the data in an answer of Prometheus's API. Raises SetupError for any other answer."""
    answer = api.ask("GET", path)
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or key not in data:
        raise SetupError(f"{api.name} at {api.url} does not answer GET {path} as Prometheus does", REFUSED)
    return data[key]


def run(options: argparse.Namespace, say: Report) -> int:
    """Do what was asked for. Raises SetupError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", options.environment):
        raise SetupError(f"--environment: expected 1-40 of A-Z a-z 0-9 _ -, got {options.environment!r}", USAGE)
    if not options.uninstall or options.prometheus_url:
        options.prometheus_url = address(options.prometheus_url, "--prometheus-url")
    if options.alertmanager_url:
        options.alertmanager_url = address(options.alertmanager_url, "--alertmanager-url")
    headers = credentials(options)
    if options.org_id:
        headers["X-Grafana-Org-Id"] = str(options.org_id)
    api = Api(address(options.grafana_url, "--grafana-url"), "Grafana", headers, options.timeout, tls(options))
    wanted = Wanted.read(options.environment, FILES)
    reach(api, options.wait, say)
    setup = Setup(api, wanted, options, say)
    # Grafana keeps what a user may for a minute; a folder made meanwhile would not be seen.
    setup.known = api.find("/api/access-control/user/permissions?reloadcache=true")
    setup.choose_source()
    if options.uninstall:
        return uninstall(setup)
    if options.dry_run or options.check:
        return check(setup, dry=options.dry_run)
    return install(setup)


def strange(error: Exception) -> SetupError:
    """Say an answer that could not be read: JSON, and not what the versions give that this was run against."""
    words = f"the answer of {Api.last} is not as Grafana {', '.join(RUN_WITH)} gives it"
    return SetupError(
        f"{words} ({type(error).__name__}: {plain(error)}); is another program, or version, there?", REFUSED
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = parser().parse_args(arguments)
    say = Report(options.json)
    try:
        try:
            return say.end(run(options, say))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise strange(error) from None
    except SetupError as error:
        done = [line for line in say.lines if line["action"] in {"created", "updated", "removed"}]
        say("STOPPED", "setup", str(error))
        if done:
            names = ", ".join(f"{line['action']} {line['name']}" for line in done)
            say("so far", f"{len(done)} things were changed", f"{names}; running it again goes on from here")
        return say.end(error.code)
    except BrokenPipeError:  # whoever read the lines has seen enough; nothing was written after the last line said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except KeyboardInterrupt:
        say("STOPPED", "setup", "by you; running it again goes on from here")
        return say.end(130)


if __name__ == "__main__":
    sys.exit(main())
