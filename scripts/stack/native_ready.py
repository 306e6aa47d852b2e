"""Native mode's readiness: `make up` returns when every service answers and the first scrape has arrived."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from stack.model import Context, StackError
from stack.native_places import Places
from stack.native_processes import pid_of, starts
from stack.native_services import Service

READY_WITHIN = 90.0
"""Seconds for the whole stack on a slow machine; two seconds are usual, and up to 15 more for the first scrape."""
TOO_MANY_STARTS = 5
"""A service that was started so often during `make up` will not come: its log says why."""
TAIL = 15


def fetch(address: str, within: float = 2.0) -> tuple[int, bytes]:
    """Ask an address of this machine, never through a proxy; status 0 when nothing answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=within) as answer:
            return int(answer.status), bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, ValueError):
        return 0, b""


def is_ready(service: Service) -> bool:
    """Tell whether the service itself says that it is ready."""
    return fetch(service.ready)[0] == 200


def wait(ctx: Context, place: Places, made: list[Service], since: float) -> None:
    """Wait until all is ready and was scraped after `since` (unix seconds); raises StackError with a log's tail."""
    deadline = time.monotonic() + READY_WITHIN
    before = {service.name: starts(place, service.name) for service in made}
    for service in made:
        while not (pid_of(place, service.name) and is_ready(service)):
            if starts(place, service.name) - before[service.name] >= TOO_MANY_STARTS:
                raise _failed(place, service.name, f"it ended {TOO_MANY_STARTS - 1} times")
            if time.monotonic() >= deadline:
                raise _failed(place, service.name, f"{service.ready} did not answer 200 within {READY_WITHIN:.0f} s")
            time.sleep(0.1)
    prometheus = next(service for service in made if service.name == "prometheus")
    if not scraped(prometheus.address, since):
        ctx.say("all services are ready; waiting for the first scrape (at most 15 s)")
    while not scraped(prometheus.address, since):
        if time.monotonic() >= deadline:
            raise _failed(place, "prometheus", f"the exporter was not scraped: {scrape_error(prometheus.address)}")
        time.sleep(0.2)


def scraped(address: str, since: float) -> bool:
    """Tell whether Prometheus holds a good scrape of the exporter after `since`; one of the last run is still seen."""
    up = 'up{job="eddie-metrics"}'
    query = urllib.parse.urlencode({"query": f"{up} == 1 and timestamp({up}) >= {since:.3f}"})
    return bool(_data(f"{address}/api/v1/query?{query}").get("result"))


def scrape_error(address: str) -> str:
    """Return what Prometheus says of its scrapes of the exporter."""
    targets = _data(f"{address}/api/v1/targets?state=active").get("activeTargets", [])
    said = [str(one.get("lastError")) for one in targets if one.get("labels", {}).get("job") == "eddie-metrics"]
    return (
        "; ".join(filter(None, said)) or f"expected a target of job eddie-metrics that is up, got {len(said)} targets"
    )


def last_lines(log: Path, lines: int = TAIL) -> list[str]:
    """Return the last lines of a log; none where there is no log."""
    if not log.is_file():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        return file.read().decode("utf-8", "replace").splitlines()[-lines:]


def tail(log: Path) -> str:
    """Return the end of a log, indented, for a message."""
    return "\n".join(f"    {line}" for line in last_lines(log)) or "    (nothing)"


def _data(address: str) -> dict[str, Any]:
    """Return `data` of an answer of Prometheus's API, empty when there is none."""
    status, body = fetch(address)
    if status != 200:
        return {}
    data = json.loads(body).get("data", {})
    return data if isinstance(data, dict) else {}


def _failed(place: Places, name: str, why: str) -> StackError:
    log = place.log(name)
    if not log.is_file() or not log.stat().st_size:
        log = place.log("supervisor")
    return StackError(
        f"{name}: expected it ready, but {why}. The end of {log}:\n{tail(log)}\nMend that, then `make up`."
    )
