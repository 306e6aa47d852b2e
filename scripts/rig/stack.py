"""A whole stack of real engines, throw-away: exporter, Prometheus, Alertmanager, Grafana, and a sink for its pages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Self

from rig import tree
from rig.asking import Asking
from rig.engine import Engine, free_port
from rig.programs import ROOT, find, grafana_home
from rig.sink import Sink

SERVICES = ("exporter", "prometheus", "alertmanager", "grafana")

FASTER = """\
; Evaluations are multiples of a tick, 10 s unless a file says otherwise: the environment cannot. Provisioned contact
; points and policies are in use after a poll, once a minute unless told.
[feature_toggles]
configurableSchedulerTick = true
[unified_alerting]
scheduler_tick_interval = {tick}s
min_interval = {tick}s
alertmanager_config_poll_interval = {tick}s
"""


class Stack(Asking):
    """Real engines on free ports of 127.0.0.1 with all data in ``folder``; ``factor`` makes their timings faster.

    The sink is a person's webhook receiver: what arrives there is what somebody would be told. Start engines with
    ``start("exporter", "prometheus", …)``; use it as a context manager, so that all of them end.
    """

    def __init__(
        self, folder: Path, *, factor: float = 1.0, grafana: bool = False, prometheus: Path | None = None
    ) -> None:
        self.folder, self.factor = folder, factor
        self.sink = Sink()
        wanted = [name for name in SERVICES if grafana or name != "grafana"]
        self.ports = {name: free_port() for name in wanted}
        super().__init__({name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()})
        self.tree = tree.lay(folder / "tree", factor)
        tree.address(self.tree, self.ports)
        self._program = prometheus
        self._secrets()
        self.engines: dict[str, Engine] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *names: str, within: float = 60.0) -> None:
        """Start the named engines (all of this stack's without a name) side by side and wait until all are ready."""
        build = {
            "exporter": self._exporter,
            "prometheus": self._prometheus,
            "alertmanager": self._alertmanager,
            "grafana": self._grafana,
        }
        chosen = names or tuple(self.ports)
        for name in chosen:
            if name not in self.engines:
                self.engines[name] = build[name]()
            self.engines[name].launch()
        for name in chosen:
            self.engines[name].wait_ready(within)

    def stop(self) -> None:
        """End every engine, the last started first, and close the sink; data and logs stay in the folder."""
        for engine in reversed(self.engines.values()):
            engine.stop()
        self.sink.close()

    # How each is started

    def _secrets(self) -> None:
        secrets = self.folder / "secrets"
        for service in ("exporter", "alertmanager"):
            (secrets / service).mkdir(parents=True, exist_ok=True)
            (secrets / service / "alerts_token").write_text("rig-alerts\n", encoding="utf-8")
        (secrets / "alertmanager" / "webhook_url").write_text(f"{self.sink.url}/page\n", encoding="utf-8")

    def _engine(self, name: str, command: list[str], path: str, environment: dict[str, str]) -> Engine:
        """Build an engine with its log and data under the folder and what all of them share in the environment."""
        (self.folder / name).mkdir(exist_ok=True)
        shared = {
            "EDDIE_ENVIRONMENT": "rig",
            **{f"EDDIE_{each.upper()}_PUBLIC_URL": self.url(each) for each in SERVICES},
        }
        log = self.folder / f"{name}.log"
        return Engine(name, command, self.urls[name], path, log, {**shared, **environment}, self.folder / name)

    def url(self, service: str) -> str:
        """Return a service's address; for one that this stack does not have, one where nobody answers."""
        return self.urls.get(service, "http://127.0.0.1:9")

    def _exporter(self) -> Engine:
        environment = {
            "EDDIE_PORT": str(self.ports["exporter"]),
            "EDDIE_DOCKER": "false",
            "EDDIE_ALERTS_TOKEN_FILE": str(self.folder / "secrets/exporter/alerts_token"),
            "EDDIE_PROMETHEUS_URL": self.url("prometheus"),
            "EDDIE_ALERTMANAGER_URL": self.url("alertmanager"),
            "PYTHONPATH": str(ROOT / "exporter/src"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return self._engine("exporter", [sys.executable, "-m", "eddie_exporter"], "/health/ready", environment)

    def _prometheus(self) -> Engine:
        program = self._program or find("prometheus")
        version = version_of(program)
        tree.for_older(self.tree, version)
        config = self.tree / "prometheus"
        command = [
            str(program),
            f"@{config / 'flags'}",
            *([f"@{config / 'flags-2'}"] if version < (3, 0) else []),
            f"--config.file={config / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'prometheus/data'}",
            f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}",
            f"--web.external-url={self.urls['prometheus']}",
        ]
        return self._engine("prometheus", command, "/-/ready", {})

    def _alertmanager(self) -> Engine:
        bins = self.folder / "bin"  # start.sh finds both programs by their names in one folder
        bins.mkdir(exist_ok=True)
        for name in ("alertmanager", "amtool"):
            link = bins / name
            link.unlink(missing_ok=True)
            link.symlink_to(find(name))
        environment = {
            "EDDIE_AM_BIN": str(bins),
            "EDDIE_AM_SECRETS": str(self.folder / "secrets/alertmanager"),
            "EDDIE_AM_RUN": str(self.folder / "alertmanager/config"),
            "EDDIE_INBOX_URL": f"{self.urls['exporter']}/alerts",
        }
        command = [
            "sh",
            str(self.tree / "alertmanager/start.sh"),
            f"--storage.path={self.folder / 'alertmanager/data'}",
            f"--web.listen-address=127.0.0.1:{self.ports['alertmanager']}",
            f"--web.external-url={self.urls['alertmanager']}",
        ]
        return self._engine("alertmanager", command, "/-/ready", environment)

    def _grafana(self) -> Engine:
        home, data = grafana_home(), self.folder / "grafana"
        provisioning = self.tree / "grafana/provisioning"
        for each in (data / "plugins", data / "dashboards", provisioning / "plugins"):
            each.mkdir(parents=True, exist_ok=True)
        environment = {
            "EDDIE_PROMETHEUS_URL": self.urls["prometheus"],
            "EDDIE_ALERTMANAGER_URL": self.urls["alertmanager"],
            "EDDIE_DASHBOARDS_PATH": str(provisioning / "dashboards"),
            "EDDIE_LOCAL_DASHBOARDS_PATH": str(data / "dashboards"),
            "GF_PATHS_DATA": str(data),
            "GF_PATHS_LOGS": str(data / "log"),
            "GF_PATHS_PLUGINS": str(data / "plugins"),
            "GF_PATHS_PROVISIONING": str(provisioning),
            "GF_SERVER_HTTP_ADDR": "127.0.0.1",
            "GF_SERVER_HTTP_PORT": str(self.ports["grafana"]),
            "GF_SERVER_ROOT_URL": self.urls["grafana"],
            "GF_SECURITY_ADMIN_PASSWORD": "rig",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_USERS_ALLOW_SIGN_UP": "false",
        }
        command = [str(home / "bin/grafana"), "server", "--homepath", str(home), "--config", str(data / "rig.ini")]
        (data / "rig.ini").write_text(FASTER.format(tick=tree.GRAFANA_TICK) if self.factor != 1 else "")
        return self._engine("grafana", command, "/api/health", environment)


def version_of(program: Path) -> tuple[int, int]:
    """Return major and minor version of a Prometheus; raises RuntimeError where it does not say one."""
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"version (\d+)\.(\d+)", done.stdout + done.stderr)
    if not match:
        raise RuntimeError(f"expected a version from {program} --version, got {done.stdout}{done.stderr}")
    return int(match[1]), int(match[2])
