"""Station *containers*: follows the limits of the fleet's containers; Docker away costs only what it knew.

Every call to the engine blocks, some for minutes, so each has a daemon thread of its own: a thread of a pool would
keep the process from ending for as long as the engine keeps silent.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from eddie_exporter.engine import Change, Engine, Found
from eddie_exporter.errors import ContractError, EddieError

T = TypeVar("T")
State = Literal["off", "starting", "up", "down"]

STEADY_SECONDS = 5.0
"""A connection that lived this long ended for a reason of its own (a proxy's time-out): it is made again at once."""

log = structlog.get_logger(__name__)


class LostError(EddieError):
    """The engine's stream of events ended at once: look whether `docker events` works where the exporter runs."""


class Observer(Protocol):
    """What the watcher tells; MetricsCollector is one."""

    def docker_up(self, up: bool) -> None:
        """Say whether the engine answers."""

    def container_seen(  # noqa: D102
        self,
        container_id: str,
        *,
        cpu_limit: float | None,
        memory_limit_bytes: int | None,
        name: str,
        image: str,
        agent_id: str | None,
    ) -> None: ...

    def container_gone(self, container_id: str) -> None:
        """Say that a container runs no more."""

    def observe_collection(self, operation: str, seconds: float) -> None:
        """Say what a listing cost."""


async def in_daemon_thread(call: Callable[[], T]) -> T:
    """Run ``call`` in a thread that neither cancelling nor the end of the process waits for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]
        else:
            future.set_exception(error)

    def run() -> None:
        try:
            outcome: tuple[T | None, Exception | None] = (call(), None)
        except Exception as error:  # noqa: BLE001  (handed to whoever awaits)
            outcome = (None, error)
        _tell(loop, settle, *outcome)

    threading.Thread(target=run, daemon=True, name="docker").start()
    return await future


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *args: object) -> bool:
    """Hand ``call`` to the loop; False when the loop has ended meanwhile."""
    try:
        loop.call_soon_threadsafe(call, *args)
    except RuntimeError:
        return False
    return True


def _follow(engine: Engine) -> asyncio.Queue[Change | None]:
    """Follow the engine's changes in a thread; None comes last, when they end for whatever reason."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Change | None] = asyncio.Queue()

    def run() -> None:
        try:
            for change in engine.changes():
                if not _tell(loop, queue.put_nowait, change):
                    return
        except Exception as error:  # noqa: BLE001  (an ended stream and a broken one are the same: look again)
            log.debug("the engine's events ended", error=str(error))
        _tell(loop, queue.put_nowait, None)

    threading.Thread(target=run, daemon=True, name="docker-events").start()
    return queue


class Watcher:
    """Keeps ``observer`` told what containers the engine runs and under which limits."""

    def __init__(
        self, observer: Observer, connect: Callable[[], Engine], *, relist_seconds: float, longest_wait: float = 30.0
    ) -> None:
        """Take ``connect``, which makes a connection or raises; ``longest_wait`` seconds between two tries."""
        self._observer = observer
        self._connect = connect
        self._relist_seconds = relist_seconds
        self._longest_wait = longest_wait
        self._known: set[str] = set()
        self.state: State = "starting"

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            tries = AsyncRetrying(
                wait=wait_random_exponential(multiplier=0.5, max=self._longest_wait),
                retry=retry_if_exception_type(Exception),
                before_sleep=self._lost,
            )
            await tries(self._session)

    def _lost(self, tried: RetryCallState) -> None:
        """Take back everything that is known only through the engine."""
        error = tried.outcome.exception() if tried.outcome else None
        if self.state != "down":
            log.warning("docker is away; limits are unknown until it is back", error=str(error)[:500])
        self._known.clear()
        self.state = "down"
        self._observer.docker_up(False)

    async def _session(self) -> None:
        """Connect, list, follow; return when a connection that was steady ends, raise otherwise."""
        engine = await in_daemon_thread(self._connect)
        try:
            began = time.monotonic()
            changes = _follow(engine)
            await self._list(engine)
            if self.state != "up":
                log.info("docker is up", containers=len(self._known))
            self.state = "up"
            await self._apply(engine, changes)
            if time.monotonic() - began < STEADY_SECONDS:
                raise LostError("expected a stream of events that stays, got one that ended at once")
        finally:
            engine.close()

    async def _apply(self, engine: Engine, changes: asyncio.Queue[Change | None]) -> None:
        """Apply changes as they come, and list again now and then, until the changes end."""
        clock = asyncio.get_running_loop().time
        list_at = clock() + self._relist_seconds
        while True:
            try:
                async with asyncio.timeout_at(list_at):
                    change = await changes.get()
            except TimeoutError:
                await self._list(engine)
                list_at = clock() + self._relist_seconds
                continue
            if change is None:
                return
            found = None if change.gone else await in_daemon_thread(lambda one=change.id: engine.one(one))  # type: ignore[misc]
            if found is None:
                self._gone(change.id)
            else:
                self._seen(found)

    async def _list(self, engine: Engine) -> None:
        began = time.perf_counter()
        listed = await in_daemon_thread(engine.running)
        self._observer.docker_up(True)
        for found in listed:
            self._seen(found)
        for container in self._known - {found.id for found in listed}:
            self._gone(container)
        self._observer.observe_collection("containers", time.perf_counter() - began)

    def _seen(self, found: Found) -> None:
        try:
            self._observer.container_seen(
                found.id,
                cpu_limit=found.cpu_limit,
                memory_limit_bytes=found.memory_limit_bytes,
                name=found.name,
                image=found.image,
                agent_id=found.agent_id,
            )
        except ContractError as error:
            # One container whose label breaks the contract must not cost the others their gauges.
            log.warning("container passed over", container=found.id[:12], why=str(error))
        else:
            self._known.add(found.id)

    def _gone(self, container_id: str) -> None:
        self._known.discard(container_id)
        self._observer.container_gone(container_id)
