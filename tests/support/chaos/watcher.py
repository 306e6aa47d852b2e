"""Invariant J, watched: twenty scrapes a second, and no series ever lower or gone that an earlier one has shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.chaos.reading import Scrape, scrape

EVERY_SECONDS = 0.05


class Watcher:
    """Scrapes in the background; whatever goes back is in ``violations``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._highest: dict[str, float] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self.violations: list[str] = []
        self.scrapes = 0
        self.seconds: list[float] = []
        self.fault: BaseException | None = None

    def look(self) -> Scrape:
        """Scrape now, and compare with everything seen before. Raises OSError where no scrape came."""
        with self._lock:
            began = time.monotonic()
            seen = scrape(self._port)
            self.seconds.append(time.monotonic() - began)
            self._compare(seen)
            self.scrapes += 1
            return seen

    def forget(self) -> None:
        """Begin anew, where a test has taken the store away."""
        with self._lock:
            self._highest.clear()

    def _compare(self, seen: Scrape) -> None:
        for key, highest in self._highest.items():
            now = seen.values.get(key)
            if now is None:
                self.violations.append(f"{key} is gone, was {highest:g}")
            elif now < highest:
                self.violations.append(f"{key} went back from {highest:.9g} to {now:.9g}")
        self._highest = {key: value for key, value in seen.values.items() if key.partition("{")[0] in seen.growing}

    def _watch(self) -> None:
        try:
            while not self._stop.wait(EVERY_SECONDS):
                try:
                    self.look()
                except OSError:
                    continue  # nobody answers while the exporter is down; it must not have gone back afterwards
        except BaseException as error:  # noqa: BLE001  (the thread that waits raises it again)
            self.fault = error

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join(15)
        if self.fault is not None:
            raise self.fault


@contextmanager
def watched(port: int) -> Iterator[Watcher]:
    """Watch until the block is left."""
    watcher = Watcher(port)
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.stop()
