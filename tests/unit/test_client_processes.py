"""Station *event out*: forks, ends of the interpreter, and several processes with one name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.scripted_exporter import Scripted, scripted

from eddie_metrics.client import Client

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def script() -> Iterator[Scripted]:
    """Answer an exporter that takes everything."""
    with scripted() as found:
        yield found


def run(code: str, *arguments: str, within: float = 20) -> tuple[float, str]:
    """Run a program to its end; answer its seconds and what it said."""
    began = time.monotonic()
    done = subprocess.run(
        (sys.executable, "-c", f"import sys\nfrom eddie_metrics import Client\n{code}", *arguments),
        capture_output=True,
        text=True,
        timeout=within,
        check=True,
    )
    return time.monotonic() - began, done.stdout + done.stderr


def reasons(script: Scripted) -> list[str]:
    """Answer the reasons of all events that were taken, sorted."""
    return sorted(event["reason"] for event in script.events())


@pytest.mark.parametrize("lasting", [False, True])
def test_a_fork_in_the_middle_doubles_nothing_and_hangs_nobody(
    script: Scripted, tmp_path: Path, *, lasting: bool
) -> None:
    """What the parent queued the parent sends; the child begins with nothing, under a producer of its own."""
    client = Client(script.url, agent_id="a", outbox=tmp_path / "outbox" if lasting else None)
    client.record_timeout(reason="parent before")
    child = os.fork()
    if child == 0:
        fine = (client.waiting, client.dropped()) == (0, {})
        client.record_timeout(reason="child")
        os._exit(0 if client.close(5) and fine else 1)
    client.record_timeout(reason="parent after")
    assert os.waitpid(child, 0)[1] == 0
    assert client.close(5)
    assert reasons(script) == ["child", "parent after", "parent before"]
    assert len({request.identity[0] for request in script.taken}) == 2


def test_forks_while_threads_record_lose_and_double_nothing(script: Scripted) -> None:
    """Whatever lock a thread holds in the moment of the fork, the child's are new."""
    client = Client(script.url, agent_id="a")
    ending = threading.Event()
    counts = [0, 0]

    def work(mine: int) -> None:
        while not ending.wait(0.0005):
            client.record_timeout(reason=f"thread-{mine}")
            counts[mine] += 1

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(2)]
    for thread in threads:
        thread.start()
    children = []
    for _ in range(10):
        child = os.fork()
        if child == 0:
            client.record_timeout(reason="child")
            os._exit(0 if client.close(5) else 1)
        children.append(child)
    ended = [os.waitpid(child, 0)[1] for child in children]
    ending.set()
    for thread in threads:
        thread.join(5)
    assert ended == [0] * 10
    assert client.close(5)
    found = reasons(script)
    assert [found.count(name) for name in ("child", "thread-0", "thread-1")] == [10, *counts]


def test_a_child_of_multiprocessing_sends_what_it_recorded(script: Scripted) -> None:
    """Such a child ends without ``atexit``; what it recorded arrives all the same."""
    code = """
import multiprocessing
client = Client(sys.argv[1], agent_id="a")
def work(number):
    client.record_timeout(reason=f"child-{number}")
client.record_timeout(reason="parent")
context = multiprocessing.get_context("fork")
children = [context.Process(target=work, args=(number,)) for number in range(3)]
for child in children: child.start()
for child in children: child.join()
"""
    run(code, script.url)
    assert reasons(script) == ["child-0", "child-1", "child-2", "parent"]


def test_an_agent_that_just_ends_has_sent_everything(script: Scripted) -> None:
    """Nobody has to close: the end of the interpreter waits a little."""
    code = "client = Client(sys.argv[1], agent_id='a')\nfor _ in range(3000): client.record_timeout(reason='x')"
    seconds, said = run(code, script.url)
    assert (len(script.events()), said) == (3000, "")
    assert seconds < 10


@pytest.mark.parametrize("way", ["", "raise SystemExit(0)", "import threading; threading.Thread(target=print).start()"])
def test_an_end_without_an_exporter_takes_two_seconds_at_most(way: str) -> None:
    """However the agent ends, it ends."""
    began = "client = Client('http://127.0.0.1:9', agent_id='a')\nclient.record_timeout(reason='x')\n"
    seconds, said = run(began + way)
    alone, _ = run("pass")
    assert seconds - alone < 3.0
    assert "1 events that were not answered" in said


def test_an_end_before_a_silent_server_takes_two_seconds_at_most() -> None:
    """A server that takes connections and never answers holds nobody."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        seconds, _ = run(
            "client = Client(sys.argv[1], agent_id='a')\nclient.record_timeout(reason='x')",
            f"http://127.0.0.1:{silent.getsockname()[1]}",
        )
        client = Client(f"http://127.0.0.1:{silent.getsockname()[1]}", agent_id="a")
        client.record_timeout(reason="x")
        began = time.monotonic()
        assert not client.flush(0.3)
        assert not client.close(0.3)
        assert time.monotonic() - began < 1.5
    assert seconds < 6


def test_an_event_of_the_last_moment_does_no_harm(script: Scripted) -> None:
    """Where the interpreter starts no more threads, recording still returns."""
    code = """
import atexit
client = Client(sys.argv[1], agent_id="a")
atexit.register(lambda: client.record_timeout(reason="late"))
"""
    seconds, said = run(code, script.url)
    assert "Traceback" not in said
    assert seconds < 10


def test_no_thread_runs_before_the_first_event(script: Scripted) -> None:
    """An agent that records nothing carries nothing."""
    before = threading.active_count()
    client = Client(script.url, agent_id="a")
    assert threading.active_count() == before
    client.record_timeout(reason="x")
    assert threading.active_count() == before + 1
    assert client.close(5)
    eventually(lambda: _equal(threading.active_count(), before), within=5)


def _equal(got: object, expected: object) -> None:
    assert got == expected


def test_processes_with_one_name_have_producers_of_their_own(script: Scripted) -> None:
    """Twenty workers of one agent never share (producer, epoch, seq); a chosen producer stays what it is."""
    for _ in range(5):
        with Client(script.url, agent_id="a") as client:
            client.record_timeout(reason="x")
    assert len({request.identity[0] for request in script.taken}) == 5
    for _ in range(3):
        with Client(script.url, agent_id="a", producer="mine") as client:
            client.record_timeout(reason="x")
    named = [request.identity for request in script.taken[5:]]
    assert {producer for producer, _, _ in named} == {"mine"}
    assert len({epoch for _, epoch, _ in named}) == 3


def test_a_token_bound_to_the_agent_fixes_its_producer(script: Scripted, tmp_path: Path) -> None:
    """Where the exporter knows the agent by name, no end is added to it."""
    token = tmp_path / "token"
    token.write_text("a secret\n")
    with Client(script.url, agent_id="a", token_file=token) as client:
        client.record_timeout(reason="x")
    assert script.taken[0].identity[0] == "a"
    assert script.taken[0].headers["authorization"] == "Bearer secret"


def test_the_import_takes_no_third_party_and_no_slow_module() -> None:
    """An agent pays for what it uses: no http.client, no ssl, no asyncio before it sends."""
    _, said = run("print(sorted({'http.client', 'ssl', 'asyncio', 'gzip', 'fcntl', 'msgspec'} & set(sys.modules)))")
    assert said.strip() == "[]"
