"""A scripted Prometheus that has everything, or answers as a test tells it, and what the script says to it."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.programs import ROOT

import print_scrape_config
from existing import committed

FEATURES = "exemplar-storage,created-timestamp-zero-ingestion"
CONFIG = """\
global:
  scrape_interval: 1m
  external_labels:
    environment: 'west'
alerting:
  alert_relabel_configs:
  - source_labels: [job]
    target_label: origin
    replacement: prometheus
scrape_configs:
- job_name: eddie-metrics
  scrape_interval: 15s
"""
Answer = tuple[int, str, bytes]


def ok(data: Any) -> Answer:
    """Return an answer as Prometheus gives it."""
    return 200, "application/json", json.dumps({"status": "success", "data": data}).encode()


def loaded() -> list[dict[str, Any]]:
    """Return the shipped rules as a Prometheus would list them, from what a YAML library reads."""
    groups = []
    for path in sorted((ROOT / "prometheus/rules").glob("*/*.yml")):
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            rules = [
                {
                    "type": "alerting" if "alert" in rule else "recording",
                    "name": rule.get("alert") or rule["record"],
                    "query": rule["expr"],
                    "duration": committed.seconds(rule.get("for", "0s")),
                    "keepFiringFor": committed.seconds(rule.get("keep_firing_for", "0s")),
                    "labels": rule.get("labels", {}),
                    "health": "ok",
                }
                for rule in group["rules"]
            ]
            groups.append({"name": group["name"], "file": str(path), "rules": rules})
    return groups


def target(**other: Any) -> dict[str, Any]:
    """Return the exporter's target as a Prometheus lists it."""
    usual = {
        "labels": {"job": "eddie-metrics"},
        "scrapePool": "eddie-metrics",
        "scrapeUrl": "http://127.0.0.1:8503/metrics/prometheus",
        "health": "up",
        "lastError": "",
        "scrapeInterval": "15s",
        "scrapeTimeout": "10s",
    }
    return {**usual, **other}


@dataclass
class Scripted:
    """A server that answers as it is told; ``answers`` are by path below the API."""

    url: str = ""
    answers: dict[str, Answer | Callable[[], Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Authorization of each request."""
    all: Answer | None = None
    """The one answer to everything."""
    silent: bool = False
    cut: bool = False
    over: threading.Event = field(default_factory=threading.Event)


def healthy() -> dict[str, Answer | Callable[[], Answer]]:
    """Return the answers of a Prometheus that has everything."""
    return {
        "status/buildinfo": ok({"version": "3.5.3+ds1"}),
        "status/runtimeinfo": ok({"reloadConfigSuccess": True, "storageRetention": "15d or 50GiB"}),
        "status/config": ok({"yaml": CONFIG}),
        "status/flags": ok({"enable-feature": FEATURES}),
        "targets": ok({"activeTargets": [target()]}),
        "rules": ok({"groups": loaded()}),
        "alertmanagers": ok({"activeAlertmanagers": [{"url": "http://127.0.0.1:9093/api/v2/alerts"}]}),
        "query": lambda: ok({"resultType": "scalar", "result": [time.time(), str(time.time())]}),
    }


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/api/v1/")
            script.asked.append((path, self.headers.get("Authorization", "")))
            if script.silent:
                script.over.wait()
                return
            found = script.all or script.answers.get(path) or (404, "text/plain", b"404 page not found\n")
            status, kind, body = found() if callable(found) else found
            self.send_response(status)
            self.send_header("Location" if 300 <= status < 400 else "Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if script.cut else body)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    return Handler


@contextmanager
def scripted(context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Run a scripted server that has everything; with a context, by https."""
    script = Scripted(answers=healthy())
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    script.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    if context:
        # Shaken hands in each request's own thread: one that is refused must not end the server.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Said:
    """What the script said."""

    code: int
    out: str
    error: str

    def finding(self, name: str) -> dict[str, str]:
        """Return one finding of --json."""
        return next(one for one in json.loads(self.out)["findings"] if one["name"] == name)

    @property
    def bad(self) -> list[tuple[str, str]]:
        """Name and state of what is not ok."""
        return [(one["name"], one["state"]) for one in json.loads(self.out)["findings"] if one["state"] != "ok"]


def called(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """Run the script as a person would, and return what it said."""
    try:
        code = print_scrape_config.main(list(words))
    except SystemExit as error:
        code = int(error.code or 0)
    captured = capsys.readouterr()
    return Said(code, captured.out, captured.err)


def without_settings(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Keep the caller's settings and `.env` out."""
    monkeypatch.setattr(print_scrape_config, "ROOT", folder)
    for key in ("EDDIE_EXPORTER_PUBLIC_URL", "EDDIE_PORT", "EDDIE_ENVIRONMENT"):
        monkeypatch.delenv(key, raising=False)
