"""The example without its metrics: what the metrics cost in lines, and that the rest is a whole program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import example
from rig.programs import ROOT

MOST = 45
"""Lines that the metrics may add."""


def plain(folder: Path) -> Path:
    """Derive the plain example."""
    subprocess.run([sys.executable, str(example.FOLDER / "plain.py"), str(folder)], check=True)
    return folder


def diff(folder: Path, *options: str) -> str:
    """Return what the metrics change, apart from how far a line is indented."""
    words = ["git", "diff", "--no-index", "-w", "--ignore-blank-lines", *options]
    found = []
    for name in ("base_agent.py", "agent_manager.py", "docker_orchestrator.py"):
        both = [str(folder / name), str(example.FOLDER / name)]
        found.append(subprocess.run([*words, *both], capture_output=True, text=True, check=False).stdout)
    return "".join(found)


def test_the_plain_example_does_the_same_work_without_the_client(tmp_path: Path) -> None:
    """No line knows of metrics, no client can be imported, and the primes are the same."""
    folder = plain(tmp_path / "plain")
    sources = "".join(path.read_text() for path in folder.iterdir())
    assert "eddie_metrics" not in sources
    assert "client" not in sources
    env = {name: value for name, value in example.environment("").items() if name != "PYTHONPATH"}
    found = example.result(example.start(env, folder=folder), within=60)
    assert found["primes"] == 71274


def test_the_metrics_add_few_lines_and_change_none(tmp_path: Path) -> None:
    """At most 45 lines are added, none is taken away, and the docs tell the number."""
    counts = re.findall(r"(?m)^(\d+)\t(\d+)\t", diff(plain(tmp_path / "plain"), "--numstat"))
    added = sum(int(each[0]) for each in counts)
    assert len(counts) == 3
    assert [each[1] for each in counts] == ["0", "0", "0"]
    assert 0 < added <= MOST
    assert f"{added} lines" in (ROOT / "docs/example.md").read_text("utf-8")


def test_the_docs_show_the_lines_as_they_are(tmp_path: Path) -> None:
    """Each line that the metrics add stands in the docs' diff, and no other."""
    changed = diff(plain(tmp_path / "plain"), "--unified=0")
    added = [
        line[1:].removesuffix("  # eddie").strip() for line in changed.splitlines() if re.match(r"\+(?!\+\+)", line)
    ]
    shown = re.search(r"(?s)```diff\n(.*?)```", (ROOT / "docs/example.md").read_text("utf-8"))
    assert shown is not None
    assert [line[1:].strip() for line in shown[1].splitlines() if line.startswith("+")] == [
        line for line in added if line
    ]
