"""Alertmanager's configuration as alertmanager/start.sh puts it together from given secret files."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.support.programs import ROOT, program, run

START = ROOT / "alertmanager" / "start.sh"

PEOPLE: dict[str, dict[str, str]] = {
    "slack": {"slack_url": "http://127.0.0.1:9/slack"},
    "discord": {"discord_url": "http://127.0.0.1:9/discord"},
    "telegram": {"telegram_token": "1:a", "telegram_chat_id": "-1001"},
    "pagerduty": {"pagerduty_key": "k"},
    "email": {"smtp_smarthost": "127.0.0.1:9", "smtp_from": "eddie@example.org", "smtp_to": "me@example.org"},
    "webhook": {"webhook_url": "http://127.0.0.1:9/webhook"},
}
"""Each person's receiver with the secret files that make it appear."""
DEADMAN = {"deadman_url": "http://127.0.0.1:9/beat"}
TOKEN = {"alerts_token": "t"}


@dataclass(frozen=True)
class Assembled:
    """What start.sh made, and what it said."""

    said: str
    status: int
    path: Path

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as Alertmanager reads it."""
        loaded: dict[str, Any] = yaml.safe_load(self.path.read_text())
        return loaded

    @property
    def receivers(self) -> set[str]:
        """Names of all receivers."""
        return {receiver["name"] for receiver in self.config["receivers"]}

    def told(self, **labels: str) -> list[str]:
        """Names of the receivers of an alert with these labels, in order, as amtool says."""
        command = [program("amtool"), "config", "routes", "test", f"--config.file={self.path}"]
        answer = run(*command, *(f"{name}={value}" for name, value in labels.items()))
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip().split(",")


def environment(tmp_path: Path, secrets: Mapping[str, str], start: Path = START) -> dict[str, str]:
    """Lay the secret files out and say what start.sh wants to know; the programs are the ones tests use."""
    folder = tmp_path / "secrets"
    folder.mkdir(exist_ok=True)
    for name, content in secrets.items():
        (folder / name).write_text(content + "\n")
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("alertmanager", "amtool"):
        link = tools / name
        link.unlink(missing_ok=True)
        link.symlink_to(Path(program(name, (0, 28))).absolute())
    return {
        "EDDIE_AM_SECRETS": str(folder),
        "EDDIE_AM_RUN": str(tmp_path / "am"),
        "EDDIE_AM_BIN": str(tools),
        "EDDIE_INBOX_URL": "http://127.0.0.1:9/alerts",
        "START": str(start),
    }


def assemble(tmp_path: Path, *secrets: Mapping[str, str]) -> Assembled:
    """Run start.sh with these secret files and stop before Alertmanager starts."""
    merged = {name: content for part in secrets for name, content in part.items()}
    env = environment(tmp_path, merged)
    said: subprocess.CompletedProcess[str] = run("sh", str(START), "--assemble-only", env=env)
    return Assembled(said.stderr, said.returncode, Path(env["EDDIE_AM_RUN"]) / "alertmanager.yml")
