"""Station *event out*: an outbox that agents share, and what killed ones left in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.eventually import eventually
from tests.support.scripted_exporter import Scripted, scripted

from eddie_metrics import Client, boxes, client
from eddie_metrics.batch import Tally
from eddie_metrics.encoding import encode
from eddie_metrics.outbox import Outbox


@pytest.fixture
def script() -> Iterator[Scripted]:
    """Answer an exporter that takes everything."""
    with scripted() as found:
        yield found


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for boxes of the dead, and try a folder again, without a pause that matters."""
    monkeypatch.setattr(boxes, "LOOK_AGAIN", 0.05)
    monkeypatch.setattr(client, "_BEGIN_AGAIN", 0.0)


def leave(folder: Path, *reasons: str) -> Outbox:
    """Put a timeout for each reason into a box, and answer it, held as by a process that lives."""
    one = Outbox(folder, folder.name, 10**9, Tally())
    one.begin()
    one.new_epoch()
    for reason in reasons:
        one.put(encode("timeout", {"agent_id": "gone", "reason": reason}, 1.0))
    return one


def taken(script: Scripted) -> list[str]:
    """Answer the reasons that were taken, sorted."""
    return sorted(event["reason"] for event in script.events() if event["kind"] == "timeout")


def _equal(got: object, expected: object) -> None:
    assert got == expected


def test_a_box_of_a_dead_process_is_sent_by_exactly_one_of_two(script: Scripted, tmp_path: Path) -> None:
    """Each event arrives once, under the dead one's name; its box is taken away, those of the living stay."""
    for one in range(5):
        leave(tmp_path / f"gone-{one}", f"{one}").close()
    heirs = [Client(script.url, agent_id=f"heir-{one}", outbox=tmp_path) for one in range(2)]
    for heir in heirs:
        heir.record_agent_hello()
    eventually(lambda: _equal(taken(script), ["0", "1", "2", "3", "4"]), within=10)
    eventually(lambda: _equal(len(list(tmp_path.iterdir())), len(heirs)), within=10)
    assert all(heir.close(5) for heir in heirs)
    assert taken(script) == ["0", "1", "2", "3", "4"]
    names = [one.identity[0] for one in script.taken if one.events[0]["kind"] == "timeout"]
    assert sorted(names) == [f"gone-{one}" for one in range(5)]


def test_a_box_of_a_living_process_is_left_alone_until_it_is_dead(script: Scripted, tmp_path: Path) -> None:
    """Nobody sends what somebody else holds."""
    living = leave(tmp_path / "living", "x")
    with Client(script.url, agent_id="heir", outbox=tmp_path) as heir:
        for number in range(3):
            heir.record_agent_hello()
            assert heir.flush(5)
            assert len(script.taken) == number + 1
        assert taken(script) == []
        living.close()
        eventually(lambda: _equal(taken(script), ["x"]), within=10)


def test_an_empty_box_is_taken_away_and_one_with_something_of_somebodys_is_not_emptied(
    script: Scripted, tmp_path: Path
) -> None:
    """A thousand agents that ended well leave no thousand folders; a file that no agent made stays."""
    leave(tmp_path / "empty").close()
    leave(tmp_path / "noted").close()
    (tmp_path / "noted" / "README").write_text("mine")
    (tmp_path / "other").mkdir()
    with Client(script.url, agent_id="heir", outbox=tmp_path) as heir:
        heir.record_agent_hello()
        eventually(lambda: _equal((tmp_path / "empty").exists(), False), within=10)
        assert heir.flush(5)
    assert [path.name for path in (tmp_path / "noted").iterdir()] == ["README"]
    assert (tmp_path / "other").is_dir()


def test_an_agent_that_starts_again_takes_the_box_it_left(script: Scripted, tmp_path: Path) -> None:
    """Restarts pile up no boxes; what was left in it goes first."""
    for number in range(3):
        one = Client("http://127.0.0.1:9", agent_id="a", outbox=tmp_path)
        one.record_timeout(reason=str(number))
        one.close(0)
        eventually(lambda: _equal([path.name for path in tmp_path.glob("*/lock")], _only(tmp_path)), within=5)
    with Client(script.url, agent_id="a", outbox=tmp_path) as last:
        last.record_timeout(reason="3")
        eventually(lambda: _equal(taken(script), ["0", "1", "2", "3"]), within=10)
    assert len(list(tmp_path.iterdir())) == 1


def _only(folder: Path) -> list[str]:
    """Check that one box is there and free."""
    (one,) = folder.iterdir()
    Outbox(one, "", 10**9, Tally()).close()
    return ["lock"]


@pytest.mark.parametrize(
    ("unreadable", "within"), [("identity", 5), ("000000000001.seg", 0.9)], ids=["when found", "when sent"]
)
def test_a_box_that_cannot_be_read_is_said_once_and_holds_up_nobody(
    script: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture, unreadable: str, within: float
) -> None:
    """Boxes behind it are sent, the heir's own events too, with no pause of a second; readable again, it is sent."""
    for name in ("bad", "good"):
        leave(tmp_path / name, name).close()
    file = tmp_path / "bad" / unreadable
    content = file.read_bytes()
    file.unlink()
    file.mkdir()
    with (
        caplog.at_level(logging.WARNING, "eddie_metrics"),
        Client(script.url, agent_id="heir", outbox=tmp_path) as heir,
    ):
        heir.record_agent_hello()
        eventually(lambda: _equal(taken(script), ["good"]), within=10)
        for _ in range(3):
            heir.record_agent_hello()
            assert heir.flush(within)
        (said,) = caplog.messages
        assert "bad cannot be read" in said
        file.rmdir()
        file.write_bytes(content)
        eventually(lambda: _equal(taken(script), ["bad", "good"]), within=10)


def test_an_outbox_that_cannot_be_made_is_said_once_and_tried_again(
    script: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The agent goes on; what it records meanwhile is counted as dropped, what it records afterwards arrives."""
    place = tmp_path / "outbox"
    place.write_text("a file")
    with caplog.at_level(logging.WARNING, "eddie_metrics"), Client(script.url, agent_id="a", outbox=place) as one:
        for _ in range(3):
            one.record_timeout(reason="before")
        assert one.dropped() == {"disk-error": 3}
        assert len(caplog.messages) == 1
        place.unlink()
        one.record_timeout(reason="after")
        assert one.flush(5)
    assert (taken(script), script.dropped()) == (["after"], {"disk-error": 3})


def test_what_is_over_the_cap_is_counted_and_told(script: Scripted, tmp_path: Path) -> None:
    """EDDIE_OUTBOX_BYTES: events that did not fit are drops, all others arrive; below the cap there are none."""
    script.judge = lambda _: (503, {"error": "busy"}, {"Retry-After": "0"})
    with Client(script.url, agent_id="a", outbox=tmp_path, outbox_bytes=65_536) as one:
        for number in range(1000):
            one.record_timeout(reason="x", task_id=f"task-{number}")
        dropped = one.dropped()["outbox-full"]
        assert 0 < dropped < 1000
        script.judge = lambda _: None
        eventually(lambda: _equal((one.flush(2), len(taken(script))), (True, 1000 - dropped)), within=10)
        for number in range(100):
            one.record_timeout(reason="x", task_id=f"task-{number}")
        assert one.flush(5)
        assert one.dropped() == script.dropped() == {"outbox-full": dropped}
