"""One client a process: for every thread, in every module, and for a forked child its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from eddie_metrics import Client, NullClient, get_client, singleton


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as a process does that never asked."""
    monkeypatch.setattr(singleton, "_client", None)
    monkeypatch.delenv("EDDIE_DISABLED", raising=False)
    monkeypatch.setenv("EDDIE_URL", "http://127.0.0.1:9")


def test_eight_threads_get_the_same_client() -> None:
    """Asked for by all at once, over and over, one is made."""
    for _ in range(20):
        singleton._client = None
        gate, found = threading.Barrier(8), list[Client]()

        def ask(gate: threading.Barrier = gate, found: list[Client] = found) -> None:
            gate.wait(10)
            found.append(get_client())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(found) == 8
        assert len({id(one) for one in found}) == 1


@pytest.mark.parametrize(("word", "off"), [("1", True), ("TRUE", True), ("0", False), ("", False), ("false", False)])
def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, word: str, off: bool) -> None:
    """EDDIE_DISABLED=1 answers a NullClient; 0 and nothing do not."""
    monkeypatch.setenv("EDDIE_DISABLED", word)
    assert isinstance(get_client(), NullClient) is off


def test_who_asks_while_it_is_made_does_not_wait_for_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log handler that records gets one that does nothing, and everybody afterwards the real one."""
    inner: list[Client] = []

    class Talkative(Client):
        def __init__(self) -> None:
            inner.append(get_client())
            super().__init__()

    monkeypatch.setattr(singleton, "Client", Talkative)
    assert isinstance(get_client(), Talkative)
    assert isinstance(inner[0], NullClient)


def test_modules_in_a_cycle_get_the_same_client(tmp_path: Path) -> None:
    """Two modules that import each other, each asking while it is imported, from two threads: one client, no hang."""
    ask = "from eddie_metrics import get_client\nclient = get_client()\n"
    (tmp_path / "one.py").write_text(ask + "import two\n")
    (tmp_path / "two.py").write_text(ask + "import one\n")
    (tmp_path / "main.py").write_text(
        "import importlib, threading\n"
        "threads = [threading.Thread(target=importlib.import_module, args=(n,)) for n in ('one', 'two') * 4]\n"
        "[t.start() for t in threads]; [t.join(20) for t in threads]\n"
        "import one, two\nprint(one.client is two.client)\n"
    )
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_child_forked_in_the_middle_does_not_hang() -> None:
    """A thread holds the lock while the process forks: the child makes a client of its own."""
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with singleton._lock:
            held.set()
            free.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if isinstance(get_client(), Client) else 1)
    free.set()
    thread.join(10)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_next_call_answers_the_same_one() -> None:
    """Negative twin: nobody gets a second one, and it is not a NullClient unless asked for."""
    assert get_client() is get_client()
    assert type(get_client()) is Client
