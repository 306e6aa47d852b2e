"""What is printed for somebody's own Prometheus, and what --check makes of every kind of answer."""

from __future__ import annotations

import json
import shutil
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
from tests.support.programs import ROOT, run

import print_scrape_config
from existing import committed
from existing.checks import OLDEST

PROMETHEUS_YML = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
JOB = next(job for job in PROMETHEUS_YML["scrape_configs"] if job["job_name"] == "eddie-metrics")
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


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the caller's settings and `.env` out."""
    monkeypatch.setattr(print_scrape_config, "ROOT", tmp_path)
    for key in ("EDDIE_EXPORTER_PUBLIC_URL", "EDDIE_PORT", "EDDIE_ENVIRONMENT"):
        monkeypatch.delenv(key, raising=False)


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


@pytest.fixture
def script() -> Iterator[Scripted]:
    """Give a scripted server that has everything."""
    with scripted() as found:
        yield found


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


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Give a function that runs the script."""

    def call(*words: str) -> Said:
        try:
            code = print_scrape_config.main(list(words))
        except SystemExit as error:
            code = int(error.code or 0)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


# What is committed, and what is printed of it


def test_the_reader_reads_what_a_yaml_library_reads() -> None:
    """Job, patterns and every rule: this reader and PyYAML answer the same."""
    usual = PROMETHEUS_YML["global"]
    scalars = {key: value for key, value in JOB.items() if isinstance(value, str) and key != "job_name"}
    assert committed.job() == {key: usual[key] for key in ("scrape_interval", "scrape_timeout")} | scalars
    patterns = [each for each in PROMETHEUS_YML["rule_files"] if not each.startswith("local/")]
    assert [f"rules/{each}" for each in committed.rule_globs()] == patterns
    read = [
        (one.group, one.kind, one.name, one.expression, one.waits, one.keeps, one.severity) for one in committed.rules()
    ]
    assert sorted(read) == sorted(
        (
            group["name"],
            "alert" if rule["type"] == "alerting" else "record",
            rule["name"],
            committed.plain(rule["query"]),
            rule["duration"],
            rule["keepFiringFor"],
            rule["labels"].get("severity", ""),
        )
        for group in loaded()
        for rule in group["rules"]
    )


def test_nothing_of_the_committed_job_is_left_out() -> None:
    """A key that somebody adds to the job and this script does not know makes this test fail, not their scrape."""
    assert JOB.keys() <= committed.job().keys() | {"job_name", "authorization", "file_sd_configs"}


def test_a_file_that_lost_its_keys_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reader guesses nothing: what it does not find, it names."""
    monkeypatch.setattr(committed, "PROMETHEUS", tmp_path)
    (tmp_path / "prometheus.yml").write_text("global:\n  scrape_interval: 15s\n")
    (tmp_path / "flags").write_text("--enable-feature=created-timestamp-zero-ingestion\n")
    for read in (committed.job, committed.rule_globs, committed.flag, committed.rules):
        with pytest.raises(committed.CommittedError, match="expected"):
            read()


def test_white_space_within_quotes_counts() -> None:
    """Two expressions are the same when only their layout differs."""
    assert committed.plain('sum by (a) (x{b="c d"}\n)') == committed.plain('sum by(a)(x{b="c d"})')
    assert committed.plain('x{b="c d"}') != committed.plain('x{b="cd"}')


def test_it_prints_the_job_as_committed(said: Callable[..., Said]) -> None:
    """Without options: the usual address, no token, no Alertmanager, this checkout's rules."""
    answer = said()
    assert answer.code == 0
    made = yaml.safe_load(answer.out)
    assert made["global"] == {"external_labels": {"environment": "default"}}
    assert made["rule_files"] == [f"{ROOT}/prometheus/rules/{kind}/*.yml" for kind in ("recording", "alerting")]
    assert "alertmanagers" not in made["alerting"]
    assert made["scrape_configs"] == [
        {
            "job_name": "eddie-metrics",
            "scrape_interval": PROMETHEUS_YML["global"]["scrape_interval"],
            "scrape_timeout": PROMETHEUS_YML["global"]["scrape_timeout"],
            "metrics_path": JOB["metrics_path"],
            "static_configs": [{"targets": ["127.0.0.1:8503"]}],
        }
    ]


def test_it_prints_what_is_asked_for(said: Callable[..., Said]) -> None:
    """https, token, Alertmanagers, links and another folder; a quote in a name stays a quote."""
    options = ["--target", "[::1]:9", "--https", "--target-ca-file", "/ca", "--token-file", "/t", "--rules", "/r/"]
    more = ["--alertmanager", "a:1", "--alertmanager", "b:2", "--environment", "it's: #1", "--grafana-url", "http://g/"]
    made = yaml.safe_load(said(*options, *more).out)
    job = made["scrape_configs"][0]
    assert job["scheme"] == "https"
    assert job["tls_config"] == {"ca_file": "/ca"}
    assert job["authorization"] == {"credentials_file": "/t"}
    assert job["static_configs"] == [{"targets": ["[::1]:9"]}]
    assert made["rule_files"][0] == "/r/recording/*.yml"
    assert made["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["a:1", "b:2"]}]}]
    assert made["global"]["external_labels"] == {"environment": "it's: #1", "grafana_url": "http://g"}
    assert {"action": "labeldrop", "regex": "grafana_url"} in made["alerting"]["alert_relabel_configs"]


def test_settings_are_read_and_options_win(said: Callable[..., Said], tmp_path: Path) -> None:
    """The public address with its scheme and path, and the environment, are `.env`'s unless an option says other."""
    (tmp_path / ".env").write_text("EDDIE_EXPORTER_PUBLIC_URL=https://eddie.example.org/m\nEDDIE_ENVIRONMENT=eu\n")
    made = yaml.safe_load(said().out)
    job = made["scrape_configs"][0]
    assert (job["scheme"], job["metrics_path"]) == ("https", "/m/metrics/prometheus")
    assert job["static_configs"] == [{"targets": ["eddie.example.org:443"]}]
    assert made["global"]["external_labels"] == {"environment": "eu"}
    job = yaml.safe_load(said("--target", "h:1").out)["scrape_configs"][0]
    assert (job.get("scheme"), job["metrics_path"]) == (None, "/metrics/prometheus")


def test_the_plain_interpreter_runs_it(tmp_path: Path) -> None:
    """From any folder, with the system's Python and nothing installed."""
    answer = run("sh", "-c", f"cd '{tmp_path}' && exec python3 -S '{ROOT}/scripts/print_scrape_config.py'")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--target", "nohost"],
        ["--target", "h:0"],
        ["--target", "u@h:1"],
        ["--target", "h:1'"],
        ["--environment", "a$b"],
        ["--environment", "a\nb"],
        ["--rules", "/a*b"],
        ["--check", "ftp://h"],
        ["--check", "http://u:p@h"],
        ["--check", "http://h:port"],
        ["--check", "http://127.0.0.1:9", "--user", "u"],
        ["--check", "http://127.0.0.1:9", "--bearer-token-file", "/nowhere"],
        ["--check", "https://127.0.0.1:9", "--ca-file", "/nowhere"],
        ["--check", "http://127.0.0.1:9", "--timeout", "0"],
        ["--check", "http://127.0.0.1:9", "--retention", "long"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused(said: Callable[..., Said], words: list[str]) -> None:
    """Exit 2, and the last line says what was expected; a password of an address is not repeated."""
    answer = said(*words)
    assert answer.code == 2
    assert "expected" in answer.error.splitlines()[-1]
    assert "u:p" not in answer.error.splitlines()[-1]


# What a live Prometheus says


def test_all_there(script: Scripted, said: Callable[..., Said]) -> None:
    """Every line is ok, exit 0; the lines and the JSON say the same."""
    answer = said("--check", script.url)
    assert (answer.code, answer.error) == (0, "")
    lines = answer.out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    found = said("--check", script.url + "/", "--json")
    assert found.code == 0
    assert [one["name"] for one in json.loads(found.out)["findings"]] == [
        line.removeprefix("ok").strip().partition(":")[0] for line in lines
    ]


def broken(groups: list[dict[str, Any]], name: str, **other: Any) -> Answer:
    """Return the rules with one of them changed."""
    for group in groups:
        for rule in group["rules"]:
            if rule["name"] == name:
                rule.update(other)
    return ok({"groups": groups})


BROKEN: dict[str, tuple[str, Answer, str, str, str]] = {
    "too old": ("status/buildinfo", ok({"version": "2.41.0"}), "server", "wrong", "keep_firing_for"),
    "reload refused": ("status/runtimeinfo", ok({"reloadConfigSuccess": False}), "configuration", "wrong", "reload"),
    "no job": ("targets", ok({"activeTargets": []}), "job", "wrong", "no target"),
    "relabelled": ("targets", ok({"activeTargets": [target(labels={"job": "x"})]}), "job", "wrong", "got x"),
    "down": ("targets", ok({"activeTargets": [target(health="down", lastError="EOF\nx")]}), "target", "wrong", "EOF x"),
    "not yet": ("targets", ok({"activeTargets": [target(health="unknown")]}), "target", "wrong", "not scraped yet"),
    "token": (
        "targets",
        ok({"activeTargets": [target(health="down", lastError="server returned HTTP status 401 Unauthorized")]}),
        "target",
        "wrong",
        "--token-file",
    ),
    "interval": ("targets", ok({"activeTargets": [target(scrapeInterval="1m")]}), "scrape", "wrong", "got 1m"),
    "path": ("targets", ok({"activeTargets": [target(scrapeUrl="http://h:1/x")]}), "scrape", "wrong", "got /x"),
    "flag": ("status/flags", ok({"enable-feature": ""}), "feature flag", "missing", "--enable-feature="),
    "no rules": ("rules", ok({"groups": []}), "rule Watchdog", "missing", "rule_files"),
    "expression": ("rules", broken(loaded(), "Watchdog", query="vector(1)"), "rule Watchdog", "wrong", "expression"),
    "wait": ("rules", broken(loaded(), "ExporterDown", duration=0), "rule ExporterDown", "wrong", "for: expected 60"),
    "health": (
        "rules",
        broken(loaded(), "HighFailureRate", health="err", lastError="many-to-many"),
        "rule HighFailureRate",
        "wrong",
        "many-to-many",
    ),
    "not evaluated": (
        "rules",
        broken(loaded(), "HighFailureRate", health="unknown"),
        "rule HighFailureRate",
        "wrong",
        "not evaluated",
    ),
    "twice": (
        "rules",
        ok({"groups": loaded() + [{**group, "file": "other.yml"} for group in loaded()]}),
        "rule Watchdog",
        "wrong",
        "other.yml",
    ),
    "no alertmanager": ("alertmanagers", ok({"activeAlertmanagers": []}), "alertmanager", "missing", "none"),
    "retention": ("status/runtimeinfo", ok({"storageRetention": "1w"}), "retention", "wrong", "got 1w"),
    "clock": ("query", ok({"result": [0, str(time.time() - 60)]}), "clock", "wrong", "NTP"),
    "label": ("status/config", ok({"yaml": CONFIG.replace("environment", "env")}), "environment", "missing", "label"),
    "unexpanded": (
        "status/config",
        ok({"yaml": CONFIG.replace("'west'", "${E}")}),
        "environment",
        "wrong",
        "${E}",
    ),
    "origin": ("status/config", ok({"yaml": CONFIG.replace("origin", "x")}), "origin label", "missing", "second time"),
    "odd": ("targets", ok({"activeTargets": [{"health": "up"}]}), "job", "unknown", "does not give"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_each_thing_that_is_not_so_is_named(script: Scripted, said: Callable[..., Said], case: str) -> None:
    """Exit 3; the finding says what is so and what to do."""
    path, answer, name, state, words = BROKEN[case]
    script.answers[path] = answer
    found = said("--check", script.url, "--json")
    assert found.code == 3
    one = found.finding(name)
    assert one["state"] == state
    assert words in one["said"] + one["advice"]
    assert one["advice"]
    assert {bad.partition(" ")[0] for bad, _ in found.bad} <= {name.partition(" ")[0], "retention", "job"}


def test_a_job_that_is_not_there_is_missing(script: Scripted, said: Callable[..., Said]) -> None:
    """Neither a target nor a line of the configuration."""
    script.answers["targets"] = ok({"activeTargets": []})
    script.answers["status/config"] = ok({"yaml": CONFIG.replace("eddie-metrics", "other")})
    assert said("--check", script.url, "--json").finding("job")["state"] == "missing"


def test_a_rule_of_theirs_with_the_same_name_is_no_concern(script: Scripted, said: Callable[..., Said]) -> None:
    """Many have a Watchdog of their own: beside ours it is fine, instead of ours it is not ours."""
    theirs = {
        "name": "general",
        "file": "t.yml",
        "rules": [{"type": "alerting", "name": "Watchdog", "query": "vector(1)"}],
    }
    script.answers["rules"] = ok({"groups": [theirs, *loaded()]})
    assert said("--check", script.url).code == 0
    script.answers["rules"] = ok({"groups": [theirs]})
    assert said("--check", script.url, "--json").finding("rule Watchdog")["state"] == "missing"


def test_what_was_asked_for_by_name_has_to_be_it(script: Scripted, said: Callable[..., Said]) -> None:
    """Another target, environment, Alertmanager or age than the options say."""
    words = ["--target", "h:1", "--environment", "east", "--alertmanager", "h:2", "--retention", "30d"]
    found = said("--check", script.url, "--json", *words)
    assert found.code == 3
    expected = {("target", "missing"), ("environment", "wrong"), ("alertmanager", "missing"), ("retention", "wrong")}
    assert set(found.bad) == expected
    same = ["--target", "127.0.0.1:8503", "--environment", "west", "--alertmanager", "127.0.0.1:9093"]
    assert said("--check", script.url, *same, "--retention", "15d").code == 0


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ({"storage.tsdb.retention.time": "0s", "storage.tsdb.retention.size": "0B"}, "ok"),
        ({"storage.tsdb.retention.time": "3d"}, "wrong"),
        ({"storage.tsdb.retention.time": "1y", "storage.tsdb.retention.size": "1GiB"}, "ok"),
        ({"storage.tsdb.retention.time": "0s", "storage.tsdb.retention.size": "1GiB"}, "ok"),
    ],
    ids=str,
)
def test_retention_is_read_from_flags_where_it_says_nothing_else(
    script: Scripted, said: Callable[..., Said], flags: dict[str, str], state: str
) -> None:
    """0s means the default, 15d; a size alone sets no age, and is said."""
    script.answers["status/runtimeinfo"] = ok({})
    script.answers["status/flags"] = ok({"enable-feature": FEATURES, **flags})
    finding = said("--check", script.url, "--json").finding("retention")
    assert finding["state"] == state
    assert ("size" in finding["said"]) is ("1GiB" in str(flags))


def test_a_version_that_cannot_read_created_timestamps_is_told(script: Scripted, said: Callable[..., Said]) -> None:
    """Nothing is missing there that could be put in."""
    script.answers["status/buildinfo"] = ok({"version": f"{OLDEST[0]}.{OLDEST[1]}.0"})
    script.answers["status/flags"] = ok({})
    answer = said("--check", script.url, "--json")
    assert answer.code == 0
    assert "first events" in answer.finding("feature flag")["said"]


@pytest.mark.parametrize("info", [{"application": "Grafana Mimir", "version": "2.15.0"}, {"version": "0.35.1"}, None])
def test_what_only_speaks_like_one_says_less(script: Scripted, said: Callable[..., Said], info: Any) -> None:
    """Mimir and Thanos answer 404 to some questions: each is told as unknown, the others are answered, exit 3."""
    for path in ("status/flags", "status/config", "status/runtimeinfo", "targets", "alertmanagers"):
        del script.answers[path]
    script.answers["status/buildinfo"] = ok(info) if info else (404, "text/plain", b"no")
    found = said("--check", script.url, "--json")
    assert found.code == 3
    assert {state for _, state in found.bad} == {"unknown"}
    assert "404" in found.finding("feature flag")["said"]
    assert found.finding("rules")["state"] == "ok"


# Faults


PAGE = b"<!doctype html><title>Log in</title>"
FAULTS: dict[str, tuple[Answer, int, str]] = {
    "page": ((200, "text/html", PAGE), 6, "an HTML page"),
    "broken JSON": ((200, "application/json", b'{"status": "succ'), 6, "half of it"),
    "not its JSON": ((200, "application/json", b'{"database": "ok"}'), 6, "expected Prometheus's API"),
    "list": ((200, "application/json", b"[]"), 6, "expected Prometheus's API"),
    "login": ((302, "http://elsewhere.invalid/login", b""), 6, "elsewhere.invalid"),
    "401": ((401, "text/plain", b"no"), 4, "--bearer-token-file"),
    "403": ((403, "text/html", PAGE), 4, "403"),
    "404": ((404, "text/html", PAGE), 6, "404"),
    "starting": ((503, "text/plain", b"Service Unavailable"), 6, "503"),
    "500": ((500, "application/json", b'{"status":"error","error":"storage\\nbroken"}'), 6, "storage broken"),
    "control": ((502, "text/plain", b"\x1b[31m\x00red"), 6, "502"),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["lines", "json"])
def test_a_fault_is_one_line(script: Scripted, said: Callable[..., Said], case: str, form: list[str]) -> None:
    """No traceback, the right exit code, what came and what to do, on one line."""
    script.all, code, words = FAULTS[case]
    answer = said("--check", script.url, *form)
    assert (answer.code, answer.error) == (code, "")
    if form:
        assert words in answer.finding("server")["said"]
    else:
        assert len(answer.out.splitlines()) == 1
        assert words in answer.out
        assert answer.out.strip().isprintable()


@pytest.mark.parametrize("path", sorted(healthy().keys() - {"status/buildinfo"}))
@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_in_the_middle_leaves_the_rest(
    script: Scripted, said: Callable[..., Said], path: str, case: str
) -> None:
    """One question that fails is unknown; the others are still answered."""
    script.answers[path] = FAULTS[case][0]
    answer = said("--check", script.url, "--json")
    assert answer.code == 3
    assert {state for _, state in answer.bad} == {"unknown"}
    assert len(json.loads(answer.out)["findings"]) >= 9


def test_nobody_there(said: Callable[..., Said]) -> None:
    """Refused: one line, exit 6."""
    with scripted() as gone:
        url = gone.url
    answer = said("--check", url)
    assert answer.code == 6
    assert "refused" in answer.out


def test_nobody_of_that_name(said: Callable[..., Said]) -> None:
    """A name that does not exist: one line, exit 6."""
    answer = said("--check", "http://nobody.invalid:9090", "--timeout", "5")
    assert answer.code == 6
    assert len(answer.out.splitlines()) == 1


def test_silence_ends_after_the_time_given(script: Scripted, said: Callable[..., Said]) -> None:
    """It does not wait for ever."""
    script.silent = True
    answer = said("--check", script.url, "--timeout", "0.2")
    assert answer.code == 6
    assert "0.2 s" in answer.out


def test_an_answer_that_breaks_off(script: Scripted, said: Callable[..., Said]) -> None:
    """Half of an answer is none."""
    script.cut = True
    answer = said("--check", script.url)
    assert answer.code == 6
    assert "broke off" in answer.out


def test_https_to_what_speaks_http(script: Scripted, said: Callable[..., Said]) -> None:
    """TLS that fails is told as such."""
    answer = said("--check", script.url.replace("http:", "https:"))
    assert answer.code == 6
    assert "TLS failed" in answer.out


def test_a_certificate_of_an_own_authority(said: Callable[..., Said], tmp_path: Path) -> None:
    """Refused with the way out; with --ca-file, trusted."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on PATH to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    made = run("openssl", *request, *names, "-keyout", str(key), "-out", str(certificate))
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with scripted(context) as script:
        answer = said("--check", script.url)
        assert answer.code == 6
        assert len(answer.out.splitlines()) == 1
        assert "--ca-file" in answer.out
        assert said("--check", script.url, "--ca-file", str(certificate)).code == 0


def test_credentials_go_only_where_they_were_meant_to_go(
    script: Scripted, said: Callable[..., Said], tmp_path: Path
) -> None:
    """The token and the password are sent, and do not follow a redirect."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    assert said("--check", script.url, "--bearer-token-file", str(secret)).code == 0
    assert {sent for _, sent in script.asked} == {"Bearer s3cret"}
    script.asked.clear()
    assert said("--check", script.url, "--user", "u", "--password-file", str(secret)).code == 0
    assert {sent for _, sent in script.asked} == {"Basic dTpzM2NyZXQ="}
    with scripted() as other:
        script.all = (307, f"{other.url}/api/v1/status/buildinfo", b"")
        answer = said("--check", script.url, "--bearer-token-file", str(secret))
        assert (answer.code, other.asked) == (6, [])
        assert "s3cret" not in answer.out


def test_a_proxy_of_the_environment_is_not_asked_about_this_machine(
    script: Scripted, said: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback is reached straight; another host through the proxy, whose page is told."""
    with scripted() as proxy:
        proxy.all = (200, "text/html", PAGE)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert said("--check", script.url).code == 0
        assert proxy.asked == []
        answer = said("--check", "http://prometheus.example.org:9090")
        assert answer.code == 6
        assert "an HTML page" in answer.out
        assert proxy.asked
