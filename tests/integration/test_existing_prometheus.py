"""A Prometheus that somebody already runs takes what the doc shows, and says what of it is missing."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.eventually import eventually
from tests.support.exporters import running
from tests.support.programs import ROOT, program, run
from tests.support.stacks import older_prometheus

from fleet.web import ask
from rig.engine import Engine, free_port

DOC = (ROOT / "docs/existing-prometheus.md").read_text("utf-8")
BEFORE, AFTER = re.findall(r"^```yaml\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
PRINT, CHECK = (
    shlex.split(line) for line in re.findall(r"^python3 (scripts/print_scrape_config.py .*)$", DOC, re.MULTILINE)
)
FLAG = "--enable-feature=created-timestamp-zero-ingestion"
THEIRS = (
    "groups: [{name: theirs, rules: [{record: 'theirs:up:sum', expr: sum(up)}, {alert: Watchdog, expr: vector(1)}]}]\n"
)
WITHIN = 45
"""Seconds in which a reloaded Prometheus has scraped and evaluated everything: both happen every 15 s."""


@dataclass
class Somebodys:
    """Their Prometheus: its file, its folder, and the words the doc's addresses stand for on this machine."""

    binary: str
    folder: Path
    here: dict[str, str]
    engine: Engine = field(init=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.here['127.0.0.1:9090']}"

    def put(self, text: str) -> None:
        """Write its configuration, with the doc's addresses replaced by this machine's."""
        for doc, here in self.here.items():
            text = text.replace(doc, here)
        (self.folder / "prometheus.yml").write_text(text, "utf-8")

    def start(self, *flags: str) -> None:
        """Start it, or start it again with other flags."""
        if hasattr(self, "engine"):
            self.engine.stop()
        command = [
            self.binary,
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.here['127.0.0.1:9090']}",
            "--web.enable-lifecycle",
            *flags,
        ]
        self.engine = Engine("prometheus", command, self.url, "/-/ready", self.folder / "log")
        self.engine.start()

    def reload(self, text: str, *, accepted: bool = True) -> None:
        """Let it read another configuration, which it takes or refuses."""
        self.put(text)
        answer = ask(f"{self.url}/-/reload", b"", timeout=20)
        assert (answer.status == 200) is accepted, answer.text

    def script(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command line of the doc, with its addresses replaced, by the system's own Python."""
        here = [self.here.get(word.removeprefix("http://"), word) for word in words]
        here = [f"http://{one}" if was.startswith("http://") else one for was, one in zip(words, here, strict=True)]
        return run("python3", str(ROOT / here[0]), *here[1:])

    def check(self, *more: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Return the exit code of the doc's --check, and its findings by name; of several by one name the worst."""
        said = self.script([*CHECK, "--json", *more])
        assert "Traceback" not in said.stderr, said.stderr
        answer = json.loads(said.stdout)
        assert answer["exit"] == said.returncode
        findings = sorted(answer["findings"], key=lambda one: one["state"] != "ok")
        return said.returncode, {one["name"]: one for one in findings}

    def all_there(self) -> None:
        """Fail until --check finds everything."""
        code, found = self.check()
        assert (code, [one for one in found.values() if one["state"] != "ok"]) == (0, [])


@pytest.fixture(params=["current", "2.42"], scope="module")
def binary(request: pytest.FixtureRequest) -> str:
    """Return each Prometheus this is promised for."""
    return program("prometheus", (3, 5)) if request.param == "current" else str(older_prometheus())


@contextmanager
def somebodys(binary: str, folder: Path, **env: str) -> Iterator[Somebodys]:
    """Give their Prometheus, not started yet, beside a real exporter."""
    (folder / "rules").mkdir()
    (folder / "rules/theirs.yml").write_text(THEIRS, "utf-8")
    shutil.copytree(ROOT / "prometheus/rules", folder / "shipped")
    with ExitStack() as stack:
        exporter = stack.enter_context(running(folder, **env))
        here = {
            "127.0.0.1:8503": exporter.url.removeprefix("http://"),
            "127.0.0.1:9090": f"127.0.0.1:{free_port()}",
            "127.0.0.1:9093": f"127.0.0.1:{free_port()}",
            "/opt/eddie-metrics": str(ROOT),
        }
        found = Somebodys(binary, folder, here)
        try:
            yield found
        finally:
            if hasattr(found, "engine"):
                found.engine.stop()


@pytest.fixture(scope="module")
def merged(binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Somebodys]:
    """Give their Prometheus with everything put in."""
    with somebodys(binary, tmp_path_factory.mktemp("merged")) as theirs:
        theirs.put(AFTER)
        theirs.start(FLAG)
        yield theirs


def put_together(yours: list[str], printed: list[str], depth: int = 0) -> list[str]:
    """Do what the doc says: what is below a key goes directly below yours, any other key to the end."""

    def parts(lines: list[str]) -> list[tuple[str, list[str]]]:
        found: list[tuple[str, list[str]]] = []
        for line in lines:
            if line.strip() and not line.startswith(" " * (depth + 1)) and not line.lstrip().startswith(("#", "-")):
                found.append((line, []))
            elif found and line.strip():
                found[-1][1].append(line)
        return found

    mine = dict(parts(yours))
    for key, below in parts(printed):
        has = key in mine and key.endswith(":") and not below[0].lstrip().startswith(("-", "#"))
        if has and key == "global:":
            mine[key] = put_together(mine[key], below, depth + 2)
        else:
            mine[key] = [*below, *mine.get(key, [])]
    return [line for key, below in mine.items() for line in (key, *below)]


def uncommented(text: str) -> list[str]:
    """Return the lines that mean something."""
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_the_doc_shows_what_is_printed_put_into_yours() -> None:
    """The file in the doc is the printed text merged by the doc's rule, word for word and in meaning."""
    said = run("python3", str(ROOT / PRINT[0]), *PRINT[1:], "--rules", "/opt/eddie-metrics/prometheus/rules")
    assert said.returncode == 0, said.stderr
    result = put_together(uncommented(BEFORE), uncommented(said.stdout))
    assert yaml.safe_load("\n".join(result)) == yaml.safe_load(AFTER)
    assert sorted(result) == sorted(uncommented(AFTER))
    assert set(AFTER.splitlines()) <= set(BEFORE.splitlines()) | set(said.stdout.splitlines())
    assert FLAG in said.stdout


def test_yours_takes_it_and_keeps_its_own(binary: str, tmp_path: Path) -> None:
    """Before: all is named as missing. Merged and reloaded: only the flag is. Restarted with the flag: all there."""
    with somebodys(binary, tmp_path) as theirs:
        theirs.put(BEFORE)
        theirs.start()
        code, found = theirs.check()
        assert code == 3
        lacking = {"job", "origin label", "alertmanager", "environment", "rule Watchdog", "rule HighFailureRate"}
        assert lacking <= {name for name, one in found.items() if one["state"] == "missing"}
        promtool = run(program("promtool", (2, 43)), "check", "config", str(tmp_path / "prometheus.yml"))
        assert promtool.returncode == 0, promtool.stderr + promtool.stdout
        theirs.reload(AFTER)
        promtool = run(program("promtool", (2, 43)), "check", "config", str(tmp_path / "prometheus.yml"))
        assert promtool.returncode == 0, promtool.stderr + promtool.stdout

        def only_the_flag() -> None:
            code, found = theirs.check()
            lacking = {name for name, one in found.items() if one["state"] != "ok"}
            older = "2.42" in found["server"]["said"]
            assert (code, lacking) == ((0, set()) if older else (3, {"feature flag"}))

        eventually(only_the_flag, within=WITHIN, every=1)
        theirs.start(FLAG)
        eventually(theirs.all_there, within=WITHIN, every=1)
        lines = theirs.script(CHECK).stdout.splitlines()
        assert all(line.startswith("ok ") for line in lines)
        assert any(theirs.here["127.0.0.1:8503"] in line for line in lines)


BROKEN = {
    "job": ("job_name: eddie-metrics\n", "job_name: eddie\n", "missing"),
    "target": ("['127.0.0.1:8503']", "['127.0.0.1:9']", "wrong"),
    "scrape": ("scrape_interval: 15s", "scrape_interval: 30s", "wrong"),
    "rule Watchdog": ("prometheus/rules/alerting/*.yml", "prometheus/rules/other/*.yml", "missing"),
    "rule HighFailureRate": ("  - rules/*.yml", "  - rules/*.yml\n  - shipped/alerting/*.yml", "wrong"),
    "origin label": ("target_label: origin", "target_label: source", "missing"),
    "alertmanager": ("127.0.0.1:9093", "127.0.0.1:9", "missing"),
    "environment": ("environment: 'west'", "environment: 'east'", "wrong"),
}
"""What is broken in the merged file, and the finding that names it."""
SAYS = {"target": "refused", "scrape": "got 30s", "rule HighFailureRate": "twice", "alertmanager": "not 127.0.0.1"}
"""Words that nothing else which may be wrong for a moment after a reload would say."""


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_thing_is_named(merged: Somebodys, name: str) -> None:
    """One thing taken out or bent: --check exits 3 and names it, and what to do."""
    good, bad, state = BROKEN[name]
    assert good in AFTER
    merged.reload(AFTER.replace(good, bad))

    def named() -> None:
        code, found = merged.check()
        assert name in found
        assert (code, found[name]["state"]) == (3, state)
        assert found[name]["advice"]
        assert SAYS.get(name, "") in found[name]["said"]

    eventually(named, within=WITHIN, every=1)


def test_another_expression_or_wait_is_named(merged: Somebodys) -> None:
    """A rule file that was edited is not ours, whatever its rules are called."""
    file = merged.folder / "shipped/alerting/fallback.yml"
    shipped = file.read_text("utf-8")
    edited = shipped.replace("> 10\n", "> 15\n").replace("for: 1m\n        keep_firing_for: 5m", "for: 2m", 2)
    file.write_text(edited, "utf-8")
    merged.reload(AFTER.replace("/opt/eddie-metrics/prometheus/rules/alerting", "shipped/alerting"))
    code, found = merged.check()
    file.write_text(shipped, "utf-8")
    assert code == 3
    assert "another expression" in found["rule HighTimeoutEvents"]["said"]
    assert "for: expected 60" in found["rule HighFailureRate"]["said"]


def test_a_refused_reload_is_named(merged: Somebodys) -> None:
    """Prometheus goes on with what it had; that it did not take the file is said."""
    merged.reload(AFTER)
    merged.reload(AFTER.replace("scrape_configs:", "scrape_configz:"), accepted=False)
    code, found = merged.check()
    assert (code, found["configuration"]["state"]) == (3, "wrong")


def test_too_short_a_retention_is_named_unless_asked_for(merged: Somebodys) -> None:
    """A day is not fifteen; who wants no more says so."""
    merged.put(AFTER)
    merged.start(FLAG, "--storage.tsdb.retention.time=1d")
    assert merged.check()[1]["retention"]["state"] == "wrong"
    assert merged.check("--retention", "1d")[1]["retention"]["state"] == "ok"


def test_reads_that_need_a_token(binary: str, tmp_path: Path) -> None:
    """Without the token file the target's 401 is quoted with the way out; printed with it, the exporter is scraped."""
    token = tmp_path / "token"
    token.write_text("secret\n")
    with somebodys(binary, tmp_path, EDDIE_READ_TOKEN_FILE=str(token)) as theirs:
        theirs.put(AFTER)
        theirs.start(FLAG)

        def refused() -> None:
            target = theirs.check()[1].get("target", {"said": "no target"})
            assert "401" in target["said"]
            assert "--token-file" in target["advice"]

        eventually(refused, within=WITHIN, every=1)
        printed = theirs.script([*PRINT, "--token-file", str(token)]).stdout
        (tmp_path / "theirs.yml").write_text(printed)
        theirs.reload(printed)
        eventually(theirs.all_there, within=WITHIN, every=1)
