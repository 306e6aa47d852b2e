"""A real Prometheus that scrapes one exporter, for faults whose proof is what Prometheus has stored."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from tests.support.chaos.reading import get
from tests.support.eventually import eventually
from tests.support.programs import program

from rig.engine import free_port

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: eddie-metrics
    metrics_path: /metrics/prometheus
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """The program with its data in ``data``; it may be killed and started again."""

    def __init__(self, folder: Path, port: int, data: Path | None = None) -> None:
        """``port`` is the exporter's."""
        self._program = program("prometheus", (3, 5))
        self._config = folder / "prometheus.yml"
        self._config.write_text(CONFIG.format(port=port))
        self._data = folder / "tsdb" if data is None else data
        self._log = folder / "prometheus.log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it as it is shipped, and wait until it is ready."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._data}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--enable-feature=created-timestamp-zero-ingestion",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(self._ready, within=20)

    def _ready(self) -> None:
        assert get(self.port, "/-/ready")[0] == 200, self._log.read_text()[-2000:]

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def ask(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Answer an instant query's vector."""
        status, body = get(self.port, f"/api/v1/query?query={urllib.parse.quote(query)}")
        assert status == 200, body
        found = json.loads(body)["data"]["result"]
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in found}

    def resets(self) -> float:
        """Answer how often, at most, a series that may only grow went back in Prometheus's eyes."""
        # resets() drops the name, and series of two metrics would be one: the name goes into a label first.
        named = 'label_replace({__name__=~".+_(total|count|bucket|sum)"}, "was", "$1", "__name__", "(.+)")'
        return self.number(f"max(resets({named}[5m:1s]))")

    def number(self, query: str) -> float:
        """Answer a query that gives one number."""
        found = list(self.ask(query).values())
        assert len(found) == 1, f"expected one value of {query}, got {found}"
        return found[0]


@contextlib.contextmanager
def scraping(folder: Path, port: int, data: Path | None = None) -> Iterator[Prometheus]:
    """Run one until the block is left."""
    one = Prometheus(folder, port, data)
    try:
        one.start()
        yield one
    finally:
        one.kill()
