"""The runbook is typed at three in the morning: what stands in it must be true."""

from __future__ import annotations

import re
import shlex

import promql_parser
import pytest
import yaml
from tests.support.assembled import PEOPLE
from tests.support.programs import ROOT

import silence

TEXT = (ROOT / "docs" / "runbook.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
ALERTS = [
    rule["alert"]
    for path in sorted((ROOT / "prometheus/rules/alerting").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
] + ["PrometheusDown"]


def commands(name: str) -> list[str]:
    """Lines of the section's block of commands."""
    block = re.search(r"^```sh\n(.*?)^```", SECTIONS[name], re.MULTILINE | re.DOTALL)
    assert block
    return block[1].splitlines()


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_its_meaning_three_commands_and_its_silence(name: str) -> None:
    """Every alert, Grafana's own too, has a section with words first, three commands, and how to silence it."""
    assert SECTIONS[name].strip()[0].isalnum()
    assert len(commands(name)) == 3
    assert re.search(r"^Silence: ", SECTIONS[name], re.MULTILINE)


@pytest.mark.parametrize("name", ALERTS)
def test_commands_can_be_typed(name: str) -> None:
    """Each command is a well-formed shell line that starts a program of both modes, and each query parses."""
    for line in commands(name):
        words = shlex.split(line)
        assert words[0] in {"make", "curl"}
        for word in words:
            if word.startswith("query="):
                promql_parser.parse(word.removeprefix("query="))


@pytest.mark.parametrize("typed", re.findall(r"`(curl [^`]*)`", TEXT))
def test_commands_in_the_text_survive_any_shell(typed: str) -> None:
    """A `?` or `*` outside quotes is a pattern to the shell: some look for a file of that name and refuse."""
    assert not re.search(r"[?*]", re.sub(r"'[^']*'", "", typed))


@pytest.mark.parametrize("name", ALERTS)
def test_joins_survive_a_container_described_twice(name: str) -> None:
    """Two exporters that watch one engine describe each container twice: a join takes one, or all of it fails."""
    for line in commands(name):
        for joined in re.findall(r"group_left \([\w, ]*\) (.*)$", line):
            assert joined.startswith("topk by (container_id) (1, ")


@pytest.mark.parametrize("name", [name for name in ALERTS if name != "Watchdog"])
def test_silence_names_its_own_alert(name: str) -> None:
    """The line to silence an alert is one the script accepts, and silences that alert and no other."""
    line = re.search(r"^Silence: `python3 scripts/silence.py (.*)`$", SECTIONS[name], re.MULTILINE)
    assert line
    options = silence.arguments(shlex.split(line[1]), {"ALERTMANAGER_PORT": "9093"})
    assert options.alertname == name


@pytest.mark.parametrize("length", ["2", "0h", "2w", "8d", "1h30m", "-1h"])
def test_silence_of_a_wrong_length_is_refused(length: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A length that is no time, or longer than a week, is refused with what is expected."""
    with pytest.raises(SystemExit) as left:
        silence.arguments(["X", length, "why"], {"ALERTMANAGER_PORT": "9093"})
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "expected a time such as 30m, 2h or 1d" in said or "expected one argument" in said or "usage" in said


def test_every_secret_file_is_named() -> None:
    """The table of receivers names each file that start.sh looks for, and none that it does not."""
    rows = (ROOT / "alertmanager/parts/people.txt").read_text().splitlines()
    defaults = (ROOT / "alertmanager/parts/defaults.txt").read_text().splitlines()
    needed = {file for row in rows if not row.startswith("#") for file in row.split()[2:]}
    optional = {row.split()[0] for row in defaults if not row.startswith("#")}
    table = SECTIONS["Nobody is told"]
    named = {word for row in re.findall(r"^\|.*$", table, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)}
    assert named == needed | optional | {"deadman_url", "smtp_password"}
    assert needed == {file for files in PEOPLE.values() for file in files}
