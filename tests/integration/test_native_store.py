"""The exporter's store in a stack without containers: kept by `down`, moved aside by `start-fresh`, its faults told."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.reading import scrape
from tests.support.eventually import eventually
from tests.support.natives import Native, faster

from stack import modes, native, store, table
from stack.model import StackError


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    """Run one stack for all of them."""
    folder = tmp_path_factory.mktemp("native store")
    stack = Native(folder, {"EDDIE_CONFIGS": str(faster(folder / "configs"))})
    modes.remember(stack.ctx.run, modes.NATIVE)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def counted(stack: Native, agent: str) -> float:
    """Answer how many timeouts of an agent the exporter shows now."""
    found = scrape(stack.ports["exporter"]).samples({"timeout_events_total"})
    return sum(value for (_, labels), value in found.items() if ("agent_id", agent) in labels)


def test_down_and_up_keep_every_total(stack: Native) -> None:
    """What was answered 202 is there after `make down` and `make up`, in a folder that only the owner opens."""
    stack.send("timeout", agent_id="kept", reason="deadline")
    stack.down()
    stack.up()
    assert counted(stack, "kept") == 1
    folder = stack.place.data / "exporter"
    assert (folder / "journal.db").is_file()
    assert folder.stat().st_mode & 0o077 == 0
    assert store.line(stack.ctx, modes.NATIVE).startswith(f"store: {folder}, ")


def test_a_kill_keeps_every_total(stack: Native) -> None:
    """`kill -9` and the supervisor's restart cost nothing that was acknowledged."""
    stack.send("timeout", agent_id="killed", reason="deadline")
    before = stack.pids()["exporter"]
    os.kill(before, signal.SIGKILL)

    def back() -> None:
        assert stack.pids().get("exporter") not in {None, before}
        assert counted(stack, "killed") == 1

    eventually(back, within=60)


def test_start_fresh_moves_the_store_aside_and_deletes_nothing(stack: Native) -> None:
    """The exporter comes back empty, on a new store; the old one lies beside it, whole, and the rest ran on."""
    stack.send("timeout", agent_id="old", reason="deadline")
    before = stack.pids()
    assert store.start_fresh(stack.ctx) == 0
    aside = list((stack.place.data / "exporter").glob("journal.db.aside-*"))
    assert any(path.stat().st_size for path in aside)
    assert counted(stack, "old") == 0
    after = stack.pids()
    assert after["exporter"] != before["exporter"]
    assert {name: pid for name, pid in after.items() if name != "exporter"} == {
        name: pid for name, pid in before.items() if name != "exporter"
    }
    assert stack.said[-1].startswith("nothing was deleted: the old store lies aside in ")
    stack.send("timeout", agent_id="new", reason="deadline")
    assert counted(stack, "new") == 1


def test_a_store_that_cannot_be_read_is_no_silent_loop(stack: Native) -> None:
    """While it runs, a store that became something else ends it again and again; `make status` shows why.

    And the way out works: `make start-fresh`.
    """
    place = stack.place.data / "exporter" / "journal.db"
    for part in (place, place.with_name("journal.db-wal")):
        part.unlink(missing_ok=True)
    place.write_bytes(b"this is no database, whatever it is called" * 200)
    os.kill(stack.pids()["exporter"], signal.SIGKILL)

    def told() -> None:
        row = stack.rows()["exporter"]
        assert row.state in {"starting", "unready"}
        assert row.note.startswith("started ")
        said = table.complaints([row], lambda name: native.last_words(stack.ctx, name))
        assert "start-fresh" in "\n".join(said)

    eventually(told, within=60)
    assert store.start_fresh(stack.ctx) == 0
    assert {row.state for row in stack.rows().values()} <= {"ready", "left out"}


def test_a_wrong_setting_ends_up_with_its_name(tmp_path: Path) -> None:
    """A setting that cannot be ends `make up` within seconds, with the exporter's own words, and leaves nothing."""
    stack = Native(tmp_path, {"EDDIE_QUEUE_REQUESTS": "0"})
    with pytest.raises(StackError, match=r"exporter: expected it ready(?s:.)*EDDIE_QUEUE_REQUESTS"):
        stack.up()
    assert stack.pids() == {}
