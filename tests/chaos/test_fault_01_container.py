"""Fault 1 in a container: `kill -9` by the host, Docker's restart policy, and a volume that is kept."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.chaos.judging import must_hold
from tests.support.chaos.outbox import Box
from tests.support.chaos.reading import get, scrape
from tests.support.chaos.senders import Fleet, driven, fleet_of
from tests.support.chaos.traffic import Event
from tests.support.chaos.watcher import Watcher, watched
from tests.support.chaos.wire import Reply, Request
from tests.support.composed import Composed
from tests.support.eventually import eventually

from stack import compose
from stack.images import SOURCES

KILLS = 5
SERVICES = ("init", "docker-proxy", "exporter")


@dataclass
class Tokened:
    """A box whose requests carry the token that the stack's exporter asks for."""

    box: Box
    token: str

    @property
    def waiting(self) -> int:
        """Batches that are not acknowledged."""
        return self.box.waiting

    def put(self, events: list[Event]) -> None:
        """Take events that are to be sent."""
        self.box.put(events)

    def head(self, now: float) -> Request | None:
        """Answer the oldest batch as a request, with the token."""
        request = self.box.head(now)
        return request and replace(request, headers={**request.headers, "authorization": f"Bearer {self.token}"})

    def settle(self, reply: Reply) -> bool:
        """Take the reply to `head`."""
        return self.box.settle(reply)

    def closed(self) -> bool:
        """No more events will come."""
        return self.box.closed()


@dataclass
class Killed:
    """What the kills left: the stack, who sent, who watched, and the processes that were killed."""

    stack: Composed
    fleet: Fleet
    watcher: Watcher
    pids: list[int]


def start(stack: Composed) -> None:
    """Start the exporter as `make up` starts it, without those that only look at it."""
    stack.docker("compose", "up", "--detach", "--no-build", "--wait", *SERVICES[1:])


def process(stack: Composed) -> int:
    """Answer the exporter's process as this machine numbers it; skip where the engine's processes are not ours."""
    pid = int(stack.docker("inspect", "--format", "{{.State.Pid}}", stack.docker("compose", "ps", "-aq", "exporter")))
    place = Path(f"/proc/{pid}/cmdline")
    if os.geteuid() != 0 or not pid or not place.exists() or b"eddie_exporter" not in place.read_bytes():
        pytest.skip("kills by host pid need root, and an engine whose processes are this machine's")
    return pid


def answers(stack: Composed) -> None:
    """Assert that the exporter is ready."""
    status, body = get(stack.ports["exporter"], "/health/ready", timeout=2)
    assert status == 200, body


def killed_once(stack: Composed, fleet: Fleet) -> int:
    """Kill the exporter at a random moment of its work; answer the process that was killed, once another is ready."""
    before, pid = fleet.ledger.total(), process(stack)

    def worked() -> None:
        assert fleet.ledger.total() >= before + wanted, f"expected {wanted} more events, got {fleet.ledger.answers}"

    wanted = random.randint(500, 5000)  # noqa: S311 - a moment, not a secret
    eventually(worked, within=60, every=0.01)
    os.kill(pid, signal.SIGKILL)

    def another() -> None:
        now = int(
            stack.docker("inspect", "--format", "{{.State.Pid}}", stack.docker("compose", "ps", "-aq", "exporter"))
        )
        assert now not in {0, pid}
        answers(stack)

    eventually(another, within=30)
    return pid


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """Run the exporter's container under load, and kill it again and again."""
    stack = Composed(tmp_path_factory.mktemp("killed"), f"eddie-test-kill-{os.getpid()}")
    stack.need()
    images = compose.images(stack.context())
    stack.more["EDDIE_SOURCES"] = images.sources("exporter")
    try:
        if not images.is_built("exporter"):
            stack.docker("compose", "build", "--quiet", "exporter")
            compose.engine(stack.context()).remove_superseded(SOURCES)
        start(stack)
        fleet = fleet_of(stack.ports["exporter"], numbered=8, with_ids=2)
        token = (stack.folder / "secrets" / "exporter" / "ingest_token").read_text().strip()
        for sender in fleet.senders:
            sender.box = Tokened(sender.box, token)
        with watched(fleet.port) as watcher, driven(fleet):
            pids = [killed_once(stack, fleet) for _ in range(KILLS)]
            fleet.drain()
            yield Killed(stack, fleet, watcher, pids)
    finally:
        stack.remove()


def test_fault_01_kills_in_a_container_cost_nothing(killed: Killed) -> None:
    """Five processes of it were killed, Docker started five others; counted = acknowledged, no series went back."""
    assert len(set(killed.pids)) == KILLS
    state = killed.stack.containers()["exporter"]
    assert state["RestartCount"] == KILLS
    assert not state["State"]["OOMKilled"]
    must_hold(killed.fleet, killed.watcher)
    ledger = killed.fleet.ledger
    print(f"{KILLS} kills, {ledger.total()} events acknowledged and counted, {ledger.duplicates} retried ones known;")
    print(f"answers {dict(ledger.answers)}, {killed.watcher.scrapes} scrapes, none went back")


def test_fault_01_down_and_up_keep_every_total(killed: Killed) -> None:
    """`docker compose down` takes the container, not its volume: the next `up` shows the same totals."""
    before = killed.stack.containers()["exporter"]["Id"]
    killed.stack.docker("compose", "down")
    start(killed.stack)
    assert killed.stack.containers()["exporter"]["Id"] != before
    must_hold(killed.fleet, killed.watcher)


def test_fault_01_only_removing_the_volume_loses_them(killed: Killed) -> None:
    """Negative twin: with the volume gone the exporter begins at zero, so it was the volume that kept them."""
    killed.stack.docker("compose", "down", "--volumes")
    start(killed.stack)
    killed.watcher.forget()
    found = killed.fleet.ledger.balance(scrape(killed.fleet.port))
    assert found.events_lost == killed.fleet.ledger.total()
