"""A real Alertmanager of a test's own, started as both modes start it, with its waits divided."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from tests.support.assembled import environment
from tests.support.programs import ROOT

from derive_timings import derived
from fleet.web import ask
from rig.engine import Engine, free_port


class LiveAlertmanager:
    """An Alertmanager with a folder of its own; every duration of its configuration is divided by `factor`.

    Only Alertmanager's own waits matter here, so the factor may be larger than one that must keep Grafana in step.
    """

    def __init__(self, folder: Path, secrets: Mapping[str, str], inbox: str, factor: int = 60) -> None:
        self.folder, self.inbox = folder, inbox
        source = folder / "alertmanager"
        shutil.copytree(ROOT / "alertmanager", source)
        for path in (*source.glob("parts/*.yml"), source / "start.sh"):
            path.write_text(derived(path, path.read_text(), Fraction(factor)))
        self._env = {**environment(folder, secrets, source / "start.sh"), "EDDIE_INBOX_URL": f"{inbox}/alerts"}
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        flags = [f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
        self.engine = Engine(
            "alertmanager", ["sh", self._env["START"], *flags], self.url, "/-/ready", folder / "log", self._env
        )

    def __enter__(self) -> Self:
        self.engine.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.stop()

    def add_secret(self, name: str, content: str) -> None:
        """Put a secret file beside the others; it is seen at the next start."""
        (self.folder / "secrets" / name).write_text(content + "\n")

    def get(self, path: str) -> Any:
        """Answer of a GET of the API, such as `receivers`."""
        answer = ask(f"{self.url}/api/v2/{path}")
        assert answer.status == 200, answer.text
        return answer.json()

    def post(self, path: str, content: Any) -> None:
        """POST to the API, which must be content."""
        body = json.dumps(content).encode()
        answer = ask(f"{self.url}/api/v2/{path}", body, headers={"Content-Type": "application/json"})
        assert answer.status == 200, answer.text

    def resolve(self, alertname: str, **labels: str) -> None:
        """Say that an alert is over."""
        self._say(-1, {"alertname": alertname, **labels})

    def alert(self, alertname: str, **labels: str) -> None:
        """Say that an alert fires, for longer than a test runs."""
        self._say(300, {"alertname": alertname, **labels})

    def _say(self, ends_in: float, labels: dict[str, str]) -> None:
        ends = datetime.now(UTC) + timedelta(seconds=ends_in)
        self.post("alerts", [{"labels": labels, "endsAt": ends.isoformat()}])

    def receivers(self) -> set[str]:
        """Names of the receivers, as the exporter and `make up` ask for them."""
        return {receiver["name"] for receiver in self.get("receivers")}

    def suppressed(self, alertname: str) -> bool:
        """Whether every alert of this name is held back."""
        found = self.get(f"alerts?filter=alertname%3D%22{alertname}%22")
        return bool(found) and all(alert["status"]["state"] == "suppressed" for alert in found)
