"""Station *event out*, for a whole process: one client, made when it is first asked for.

Everything it needs is imported before, so that no import happens while its lock is held: two threads in a cycle of
imports cannot wait for each other here.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from eddie_metrics.client import Client
from eddie_metrics.null import NullClient

# Reentrant: a log handler or a signal handler of the agent's may ask in the middle of it.
_lock = threading.RLock()
_client: Client | None = None
_making = False


def disabled() -> bool:
    """Whether ``EDDIE_DISABLED`` says 1, true, yes or on."""
    return os.environ.get("EDDIE_DISABLED", "").strip().lower() in {"1", "true", "yes", "on"}


def get_client() -> Client:
    """Answer this process's client, the same for every thread and module; its settings are the environment's.

    With ``EDDIE_DISABLED=1``, as it was when first asked for, it is a NullClient. A forked child's is its own.
    """
    global _client, _making  # noqa: PLW0603  (one a process is what this module is for)
    found = _client
    if found is not None:
        return found
    with _lock:
        if _client is not None:
            return _client
        if _making:
            return NullClient()
        _making = True
        try:
            _client = NullClient() if disabled() else Client()
        finally:
            _making = False
        return _client


@contextlib.contextmanager
def answering(client: Client) -> Iterator[Client]:
    """Let ``get_client()`` answer ``client`` until the block is left; for tests."""
    global _client  # noqa: PLW0603
    before, _client = _client, client
    try:
        yield client
    finally:
        _client = before


def _after_in_child() -> None:
    """Begin with a lock that is free: whoever held it is not here. The client itself begins anew in a child."""
    global _lock, _making  # noqa: PLW0603
    _lock = threading.RLock()
    _making = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
