"""A silence that the board proposes: the line is what a shell and amtool read, whatever an event put into a label."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tests.support.alertmanagers import LiveAlertmanager
from tests.support.programs import program, run

from eddie_board.silence import line, link

HOSTILE = {
    "markup and quotes": "<img src=x onerror=alert(1)>'\"`$(touch pwned)`",
    "backslashes": "\\x41\\n\\u0041\\\\ \\' \\",
    "128 of four bytes": "𝕏" * 128,
    "an option": "--alertmanager.url=http://elsewhere",
    "a file": "@/etc/passwd",
    "operators": "a=b,c!=d}{=~.*",
    "a second command": "x'; touch pwned; echo '",
    "history": "!! !$",
    "nothing": "",
}
UNPRINTABLE = {
    "a new line": "a\ntouch pwned\n",
    "the end of a paste": "a\x1b[201~\rtouch pwned\r",
    "text turned round": "a\u202ednwp hcuot",
    "a zero byte": "a\x00b",
    "dots and stars between": "a.*\tb+(c)[d]{e}|f^g$h?\\",
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveAlertmanager]:
    """Run one real Alertmanager for this file."""
    program("alertmanager")
    program("amtool")
    with LiveAlertmanager(tmp_path_factory.mktemp("am"), {}, "http://127.0.0.1:9") as found:
        yield found


def made(live: LiveAlertmanager, command: str, folder: Path) -> list[dict[str, Any]]:
    """Run a line in a POSIX shell, with the real amtool, and answer the matchers of the silence it made."""
    binaries = folder / "bin"
    binaries.mkdir()
    (binaries / "amtool").symlink_to(Path(program("amtool")).resolve())
    done = run("sh", "-c", f"cd {shlex.quote(str(folder))} && {command}", env={"PATH": f"{binaries}:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert not list(folder.glob("pwned*"))
    found: list[dict[str, Any]] = live.get(f"silence/{done.stdout.strip()}")["matchers"]
    return found


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_amtool_reads_the_label_back_as_it_was(value: str, live: LiveAlertmanager, tmp_path: Path) -> None:
    """The silence that the shell makes names exactly the alert's labels, and nothing else was run."""
    matchers = made(live, line(live.url, {"agent_id": value, "alertname": "A", "origin": "prometheus"}), tmp_path)
    assert {one["name"]: one["value"] for one in matchers} == {"alertname": "A", "agent_id": value}
    assert not any(one["isRegex"] for one in matchers)


@pytest.mark.parametrize("value", UNPRINTABLE.values(), ids=UNPRINTABLE)
def test_what_cannot_be_printed_is_matched_and_not_in_the_line(
    value: str, live: LiveAlertmanager, tmp_path: Path
) -> None:
    """A line that is pasted into a terminal has no character that the terminal would obey, and matches all the same."""
    command = line(live.url, {"alertname": "A", "agent_id": value})
    assert command.isprintable()
    matcher = next(one for one in made(live, command, tmp_path) if one["name"] == "agent_id")
    assert matcher["isRegex"]
    readable = re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: re.escape(chr(int(found[1], 16))), matcher["value"])
    assert re.fullmatch(readable, value)
    assert not re.fullmatch(readable, value + "x")


def test_the_silence_holds_the_alert_back(live: LiveAlertmanager, tmp_path: Path) -> None:
    """Alertmanager itself says that the alert is silenced, and that another agent's is not."""
    hostile = {"agent_id": HOSTILE["markup and quotes"] + "\t"}
    live.alert("Held", **hostile)
    live.alert("NotHeld", **hostile)
    made(live, line(live.url, {"alertname": "Held", **hostile}), tmp_path)
    assert live.suppressed("Held")
    assert not live.suppressed("NotHeld")


def test_a_name_that_prometheus_3_allows_is_quoted(live: LiveAlertmanager, tmp_path: Path) -> None:
    """Label names may be any text by now."""
    matchers = made(live, line(live.url, {"alertname": "A", "a name": "v", 'q"\\': "w"}), tmp_path)
    assert {one["name"]: one["value"] for one in matchers} == {"alertname": "A", "a name": "v", 'q"\\': "w"}


def test_the_silence_is_for_the_symptom_whoever_tells_it() -> None:
    """Neither the link nor the line names the engine that spoke."""
    labels = {"alertname": "A", "origin": "grafana", "grafana_folder": "Eddie", "__alert_rule_uid__": "x", "job": "j"}
    assert shlex.split(line("http://am", labels))[-2:] == ['alertname="A"', 'job="j"']
    assert unquote(link("http://am/", labels) or "") == 'http://am/#/silences/new?filter={alertname="A", job="j"}'


def test_the_link_carries_any_value() -> None:
    """Values are JSON strings, as Alertmanager's page reads them, and nothing of them ends the address."""
    found = link("http://am:9093", {"alertname": "A", "agent_id": "<a href='#x'>&\"\n𝕏"})
    assert found is not None
    assert re.fullmatch(r"http://am:9093/#/silences/new\?filter=[A-Za-z0-9_.~%-]+", found)
    assert unquote(found).endswith('agent_id="<a href=\'#x\'>&\\"\\n𝕏"}')


def test_no_link_for_a_name_that_the_page_cannot_read() -> None:
    """Then the line is shown instead."""
    assert link("http://am", {"alertname": "A", "a name": "v"}) is None
