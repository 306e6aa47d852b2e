from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.ways import Way

from stack import demo, modes
from stack.model import Context, StackError

FLEET = """
import os, pathlib, signal, sys
stopped = []
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path("{said}").write_text(" ".join(sys.argv[1:])), sys.exit(0)))
{act}
signal.pause()
"""


def stack(root: Path, said: list[str] | None = None) -> Context:
    """Answer a stack in a folder of its own."""
    ports = {"exporter": 8503, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
    say = said.append if said is not None else print
    return Context(root, {"EDDIE_BIND": "0.0.0.0"}, root / ".run", root / "secrets", ports, say, "eddie")


def starting(ctx: Context) -> Callable[[Context], int]:
    """Answer an `up` that leaves what a start leaves: a mode, data and secrets."""

    def up(own: Context) -> int:
        modes.remember(own.run, "native")
        own.secrets.mkdir(parents=True)
        (own.run / "data").write_text("data")
        return 0

    return up


def fleet(root: Path, act: str) -> Path:
    """Put a fleet there that acts and then waits for its end; answer the file it says its words into."""
    (root / "scripts").mkdir()
    (root / "scripts" / "demo_fleet.py").write_text(FLEET.format(said=root / "said", act=act))
    return root / "said"


@pytest.mark.parametrize("state", ["ready", "starting", "unready"])
def test_it_refuses_while_a_stack_runs(tmp_path: Path, state: str) -> None:
    """A running stack keeps its data to itself; both ways out are said."""
    modes.remember(tmp_path / ".run", "native")
    with pytest.raises(StackError, match="make demo INTO=up"):
        demo.demo(stack(tmp_path), {"native": Way([state])}, "storm", up=lambda _: 0, into_up=False)


def test_into_up_needs_a_running_stack(tmp_path: Path) -> None:
    """INTO=up never starts a stack of its own."""
    with pytest.raises(StackError, match=r"INTO=up: expected a running stack, got none; start it with:  make up"):
        demo.demo(stack(tmp_path), {"native": Way(["stopped"])}, "storm", up=lambda _: 0, into_up=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_fleet_and_stack(tmp_path: Path, number: int) -> None:
    """Whatever ends the demo, the fleet is told, its stack goes down, and nothing of it is on disk."""
    said = fleet(tmp_path, f"os.kill(os.getppid(), {int(number)})")
    ctx, way = stack(tmp_path), Way()
    before = signal.getsignal(number)
    assert demo.demo(ctx, {"native": way}, "deep", up=starting(ctx), into_up=False) == 0
    assert "--scenario deep --url http://127.0.0.1:8503" in said.read_text()
    assert way.downs == [tmp_path / ".run" / "demo"]
    assert not (tmp_path / ".run" / "demo").exists()
    assert signal.getsignal(number) is before


def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A port that is taken ends the demo before the fleet, and what was begun goes."""
    ctx, way = stack(tmp_path), Way()

    def up(own: Context) -> int:
        starting(ctx)(own)
        raise StackError("port 9090 is taken")

    with pytest.raises(StackError, match="port 9090 is taken"):
        demo.demo(ctx, {"native": way}, "storm", up=up, into_up=False)
    assert way.downs
    assert not (tmp_path / ".run" / "demo").exists()


def test_what_a_killed_demo_left_goes_first(tmp_path: Path) -> None:
    """A demo that was killed is cleaned up by the next one."""
    ctx, way = stack(tmp_path), Way()
    own = demo.throw_away(ctx)
    modes.remember(own.run, "native")
    demo.remove(own, {"native": way})
    assert way.downs == [own.run]
    assert not own.run.exists()


def test_it_shares_nothing_with_the_persons_stack(tmp_path: Path) -> None:
    """Data, secrets, project and network are its own, and it is on loopback whatever EDDIE_BIND says."""
    ctx = stack(tmp_path)
    own = demo.throw_away(ctx)
    assert own.project != ctx.project
    assert own.secrets != ctx.secrets
    assert own.run != ctx.run
    assert own.env["EDDIE_BIND"] == "127.0.0.1"
    assert own.env["EDDIE_AGENTS_NETWORK"] != "eddie-agents"
    assert ctx.env["EDDIE_BIND"] == "0.0.0.0"


def test_into_up_says_what_stays(tmp_path: Path) -> None:
    """The fleet goes into the running stack, which is told before and not ended after."""
    fleet(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)")
    modes.remember(tmp_path / ".run", "native")
    said: list[str] = []
    way = Way(["ready"])
    assert demo.demo(stack(tmp_path, said), {"native": way}, "calm", up=lambda _: 1, into_up=True) == 0
    assert "stay in that stack's data" in said[0]
    assert way.downs == []


def test_a_second_demo_does_not_remove_the_first(tmp_path: Path) -> None:
    """While one demo runs another is refused, with its data untouched; once it ended, the next one may come."""
    fleet(tmp_path, "os.kill(os.getppid(), signal.SIGINT)")
    ctx = stack(tmp_path)

    def up_and_another(own: Context) -> int:
        starting(ctx)(own)
        with pytest.raises(StackError, match="a demo runs here already"):
            demo.demo(ctx, {"native": Way()}, "storm", up=starting(ctx), into_up=False)
        assert (own.run / "data").exists()
        return 0

    for up in (up_and_another, starting(ctx)):
        assert demo.demo(ctx, {"native": Way()}, "storm", up=up, into_up=False) == 0
    assert list(ctx.run.iterdir()) == []
