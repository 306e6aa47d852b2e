"""A real Grafana that somebody else runs, with things in it that matter to them, and a stack it can ask."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.eventually import eventually
from tests.support.grafanas import PASSWORD, engine, home_or_skip
from tests.support.stacks import FACTOR, native

import setup_grafana_metrics as script
from rig import tree
from rig.stack import FASTER, Stack

DASHBOARD = "/api/dashboards/uid/eddie-distributed-fallback"
RULES = "/api/v1/provisioning/alert-rules"
CONTACTS = "/api/v1/provisioning/contact-points"
POLICIES = "/api/v1/provisioning/policies"
EDITABLE = {"X-Disable-Provenance": "true"}
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PASSING = {"id", "version", "created", "updated", "updatedBy", "createdBy", "folderId"}
"""Keys of an answer that say when and as which row a thing is kept, not what it is."""


@dataclass
class Run:
    """What one run of the script ended with and said."""

    code: int
    things: list[dict[str, Any]]
    text: str

    def named(self, *actions: str) -> list[str]:
        """Return the names of the things that one of ``actions`` was said of."""
        return [each["name"] for each in self.things if each["action"] in actions]

    @property
    def actions(self) -> set[str]:
        """Return the kinds of lines there were."""
        return {each["action"] for each in self.things}

    def words(self, action: str) -> str:
        """Return the words of all lines of one kind."""
        return "\n".join(f"{each['name']}: {each['words']}" for each in self.things if each["action"] == action)


@dataclass
class Foreign:
    """A running Grafana of somebody else's: its address, log, and the stack whose engines it reaches."""

    url: str
    log: Path
    stack: Stack
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> tuple[int, Any]:
        """Return status and JSON of an API call, as admin unless a token is given."""
        pair = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Bearer {token}" if token else f"Basic {pair}", "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        headers |= EDITABLE
        asked = urllib.request.Request(f"{self.url}{path}", sent, headers, method=method)  # noqa: S310 - http only
        try:
            with NO_PROXY.open(asked, timeout=20.0) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        return status, json.loads(text) if text.strip() else None

    def get(self, path: str) -> Any:
        """Return the JSON at ``path``; raises AssertionError unless it is there."""
        return self.done("GET", path)

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """Make a call as admin that has to work, and return its JSON."""
        status, found = self.call(method, path, body)
        assert status < 300, f"expected {method} {path} to work, got {status}: {found}"
        return found

    def token(self, role: str) -> str:
        """Return the token of a service account that has ``role`` (None, Viewer, Editor or Admin)."""
        if role not in self.tokens:
            made = self.done("POST", "/api/serviceaccounts", {"name": f"test-{role}", "role": role})
            answer = self.done("POST", f"/api/serviceaccounts/{made['id']}/tokens", {"name": role})
            file = self.folder / f"token-{role}"
            file.write_text(answer["key"])
            self.tokens[role] = str(file)
        return self.tokens[role]

    def run(self, *options: str, role: str = "Admin", prometheus: str | None = None) -> Run:
        """Run the script with ``--json``; its Prometheus is the stack's, ``prometheus=""`` gives none."""
        prometheus = self.stack.url("prometheus") if prometheus is None else prometheus
        given = ["--grafana-url", self.url, "--token-file", self.token(role), "--json", *options]
        given += ["--prometheus-url", prometheus] if prometheus else []
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = script.main(given)
        return Run(code, json.loads(said.getvalue())["things"], said.getvalue())

    def alerting(self, *options: str, **more: Any) -> Run:
        """Run the script with the stack's Alertmanager."""
        return self.run("--alertmanager-url", self.stack.url("alertmanager"), *options, **more)

    def rule(self, uid: str) -> Any:
        """Return an alert rule."""
        return self.get(f"{RULES}/{uid}")

    def export(self) -> str:
        """Return all that a person would miss, as text, without ids, versions and times."""
        boards = self.get("/api/search?type=dash-db&limit=5000")
        rules = self.get(RULES)
        groups = {(rule["folderUID"], rule["ruleGroup"]) for rule in rules}
        kept = {
            "data sources": self.get("/api/datasources"),
            "folders": self.get("/api/folders?limit=1000"),
            "dashboards": [self.get(f"/api/dashboards/uid/{board['uid']}")["dashboard"] for board in boards],
            "library panels": self.get("/api/library-elements?perPage=100")["result"]["elements"],
            "contact points": self.get(CONTACTS),
            "policies": self.get(POLICIES),
            "rules": sorted(rules, key=lambda rule: str(rule["uid"])),
            "groups": [self.get(group_path(*group)) for group in sorted(groups)],
            "alertmanager": self.get("/api/alertmanager/grafana/config/api/v1/alerts")["alertmanager_config"],
        }
        return json.dumps(lasting(kept), indent=1, sort_keys=True)

    def source(self, uid: str, url: str, **more: Any) -> None:
        """Make a Prometheus data source of somebody else's."""
        made = {"name": f"Source {uid}", "uid": uid, "type": "prometheus", "access": "proxy", "url": url, **more}
        self.done("POST", "/api/datasources", made)

    def theirs(self) -> None:
        """Put in what somebody else has: a default data source, folder, dashboard, contact point, policies, rule."""
        self.source("theirs", "http://127.0.0.1:9", isDefault=True)
        self.done("POST", "/api/folders", {"uid": "their-folder", "title": "Their folder"})
        board = {"uid": "their-board", "title": "Their board", "panels": [], "tags": ["theirs"]}
        self.done("POST", "/api/dashboards/db", {"dashboard": board, "folderUid": "their-folder"})
        self.done("POST", CONTACTS, {"uid": "their-cp", "name": "Their people", "type": "webhook",
                                     "settings": {"url": "http://127.0.0.1:9/theirs"}})  # fmt: skip
        route = {"receiver": "Their people", "object_matchers": [["team", "=", "theirs"]], "group_wait": "10s"}
        tree = {"receiver": "Their people", "group_by": ["alertname", "grafana_folder"], "routes": [route]}
        self.done("PUT", POLICIES, tree)
        self.put_rule("their-rule", "their-folder", "their-group")

    def put_rule(self, uid: str, folder: str, group: str) -> None:
        """Write a rule of somebody else's, on their own data source, beside what is in the group already."""
        status, there = self.call("GET", group_path(folder, group))
        others = [rule for rule in there["rules"] if rule["uid"] != uid] if status == 200 else []
        query = {
            "refId": "A",
            "expr": "vector(1)",
            "instant": True,
            "datasource": {"type": "prometheus", "uid": "theirs"},
        }
        rule = {"uid": uid, "title": f"Rule {uid}", "condition": "A", "noDataState": "OK", "execErrState": "OK",
                "for": "1m", "orgID": 1, "folderUID": folder, "ruleGroup": group, "labels": {"team": "theirs"},
                "data": [{"refId": "A", "relativeTimeRange": {"from": 300, "to": 0}, "datasourceUid": "theirs",
                          "model": query}]}  # fmt: skip
        body = {"title": group, "folderUid": folder, "interval": 60, "rules": [*others, rule]}
        self.done("PUT", group_path(folder, group), body)


def group_path(folder: str, group: str) -> str:
    """Return the address of a rule group."""
    return f"/api/v1/provisioning/folder/{folder}/rule-groups/{urllib.parse.quote(group)}"


def lasting(found: Any) -> Any:
    """Take out of an answer what is not the thing itself."""
    if isinstance(found, dict):
        return {key: lasting(value) for key, value in found.items() if key not in PASSING}
    return [lasting(each) for each in found] if isinstance(found, list) else found


@contextmanager
def foreign(folder: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Foreign]:
    """Run somebody else's Grafana until the block is left; the script is given the stack's faster timings."""
    home, data = home_or_skip(), folder / "grafana"
    (folder / "provisioning" / "plugins").mkdir(parents=True)
    data.mkdir(exist_ok=True)
    built = engine(data, home, stack, folder / "provisioning")
    (folder / "faster.ini").write_text(FASTER.format(tick=tree.GRAFANA_TICK))
    built.command += ["--config", str(folder / "faster.ini")]
    monkeypatch.setattr(script, "FILES", stack.tree / "grafana" / "provisioning")
    monkeypatch.setattr(script, "LONG_ENOUGH", script.LONG_ENOUGH / FACTOR)
    try:
        built.launch()
        started = Foreign(built.url, built.log, stack, folder)
        eventually(lambda: started.get("/api/folders"), within=90)
        started.theirs()
        yield started
    finally:
        built.stop()


@contextmanager
def somebodys(folder: Path, *, alerting: bool = False) -> Iterator[Foreign]:
    """Run somebody's Grafana with exporter, Alertmanager and Prometheus, which has our alerts only if ``alerting``."""
    home_or_skip()
    for part in ("stack", "foreign"):
        (folder / part).mkdir()
    with native(folder / "stack", "exporter", "alertmanager") as stack, pytest.MonkeyPatch.context() as monkeypatch:
        if not alerting:
            shutil.rmtree(stack.tree / "prometheus/rules/alerting")
        stack.start("prometheus")
        with foreign(folder / "foreign", stack, monkeypatch) as started:
            yield started


@contextmanager
def unchanged(grafana: Foreign, *environments: str) -> Iterator[Foreign]:
    """Hand out a Grafana, uninstall also where the block failed, and see that it is what it was before."""
    before = grafana.export()
    try:
        yield grafana
    finally:
        done = [grafana.run("--uninstall", "--environment", environment) for environment in environments]
    assert [each.text for each in done if each.code != script.DONE] == []
    assert grafana.export() == before
