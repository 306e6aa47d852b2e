"""A Grafana of a hundred lines that keeps what it is told in memory, and answers any call wrongly when asked to.

The real one is asked in tests/integration/test_setup_grafana_real.py; this one is for what a real one does not do on
demand: break off, answer a proxy's page, refuse the seventh call.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
Fault = Callable[["Handler"], None]
"""Answers a request wrongly, or not at all."""


@dataclass
class State:
    """What this Grafana holds, what was asked of it, and which call fails how."""

    sources: dict[str, Json] = field(default_factory=dict)
    folders: dict[str, Json] = field(default_factory=dict)
    dashboards: dict[str, Json] = field(default_factory=dict)
    contacts: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    fail_at: int = -1
    fail_times: int = 1_000_000
    fault: Fault | None = None
    prometheus_rules: list[Json] = field(default_factory=list)

    def rules(self) -> list[Json]:
        """Return every alert rule, with the group and folder it is in."""
        return [
            {**rule, "ruleGroup": group["title"], "folderUID": group["folderUid"]}
            for group in self.groups.values()
            for rule in group["rules"]
        ]

    def kept(self) -> str:
        """Return what a person would find, for comparisons."""
        return json.dumps([self.sources, self.folders, self.dashboards, self.contacts, self.groups], sort_keys=True)


class Handler(BaseHTTPRequestHandler):
    """Answers as Grafana 12.2 does to the calls of scripts/setup_grafana_metrics.py, and to nothing else."""

    state: State
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""

    def answer(self, status: int, body: Any = None, kind: str = "application/json", **headers: str) -> None:
        """Send an answer; a string goes out as it is."""
        sent = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(sent)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(sent)

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = self.path.partition("?")[0]
        state, number = self.state, len(self.state.calls)
        state.calls.append((self.command, path))
        if state.fault and state.fail_at <= number < state.fail_at + state.fail_times:
            state.fault(self)
            return
        found = self._api(self.command, path, body)
        self.answer(*(found if isinstance(found, tuple) else (200, found)))

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _api(self, method: str, path: str, body: Any) -> Any:  # noqa: PLR0911  one line a call
        """Answer one call; a pair is a status and a body."""
        state, last = self.state, path.rsplit("/", 1)[1]
        fixed = {
            "/api/health": {"database": "ok", "version": "12.2.0"},
            "/api/access-control/user/permissions": (404, {"message": "Not found"}),
            "/api/v1/rules": {"data": {"groups": [{"rules": state.prometheus_rules}]}},
            "/api/v1/status/config": {"data": {"yaml": "global:\n  external_labels:\n    environment: default\n"}},
            "/api/v2/status": {"config": {"original": "route:\n  receiver: all\n"}},
            "/api/ds/query": {"results": {"A": {"frames": []}}},
            "/api/prometheus/grafana/api/v1/rules": {"data": {"groups": [{"rules": self._evaluated()}]}},
            "/api/search": [],
            "/api/v1/provisioning/alert-rules": state.rules(),
        }
        if path in fixed:
            return fixed[path]
        if path.startswith("/api/datasources"):
            if last == "health":
                return {"status": "OK"}
            return self._keep(state.sources, method, last, body, body and body["uid"])
        if path.startswith("/api/folders"):
            return self._keep(state.folders, method, last, body, body and body.get("uid", last))
        if path == "/api/dashboards/db":
            state.dashboards[body["dashboard"]["uid"]] = {
                "dashboard": {**body["dashboard"], "version": 1},
                "meta": {"folderUid": body["folderUid"]},
            }
            return {"status": "success"}
        if path.startswith("/api/dashboards/uid/"):
            return self._keep(state.dashboards, method, last, None, last)
        if path.startswith("/api/v1/provisioning/contact-points"):
            return self._keep(state.contacts, method, last, body, body and body["uid"])
        if "/rule-groups/" in path:
            return self._keep(state.groups, method, last, body, last)
        return 404, {"message": "Not found"}

    def _keep(self, kept: dict[str, Json], method: str, last: str, body: Any, uid: str) -> Any:
        """Keep, give or forget one of a kind; a collection is given whole."""
        if method in {"POST", "PUT"}:
            kept[uid] = {**kept.get(uid, {}), **body}
            return kept[uid]
        if last in {"datasources", "folders", "contact-points"}:
            return list(kept.values()) if last != "folders" else []
        if last not in kept:
            return 404, {"message": "Not found"}
        return kept.pop(last) if method == "DELETE" else kept[last]

    def _evaluated(self) -> list[Json]:
        return [
            {"name": rule["title"], "lastEvaluation": "2026-01-01T00:00:00Z", "health": "ok"}
            for rule in self.state.rules()
        ]


@contextmanager
def serving() -> Iterator[tuple[str, State]]:
    """Serve an empty Grafana (and Prometheus, and Alertmanager) on one free port of loopback."""
    state = State()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
