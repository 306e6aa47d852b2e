"""Station *event out*, on a disk: what is torn, spoiled, full or left by a killed process costs itself and no more."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from eddie_metrics.batch import Line, Tally
from eddie_metrics.encoding import encode
from eddie_metrics.frames import frame, unframe, write_durably
from eddie_metrics.outbox import Outbox

PLENTY = 10**9
NAMES = ("a", "b", "c")


def line(reason: str) -> bytes:
    """Write a timeout."""
    return encode("timeout", {"agent_id": "agent-1", "reason": reason}, 1.0)


@contextlib.contextmanager
def box(folder: Path, *reasons: str, most: int = PLENTY, tally: Tally | None = None) -> Iterator[Outbox]:
    """Hold a box, with a timeout for each reason in it; to leave is what a killed process does to it."""
    one = Outbox(folder, "producer-1", most, Tally() if tally is None else tally)
    one.begin()
    for reason in reasons:
        assert one.put(line(reason)) in {None, "first"}
    try:
        yield one
    finally:
        one.close()


def reasons_in(lines: list[bytes]) -> list[str]:
    """Answer the reasons of events."""
    return [json.loads(one)["reason"] for one in lines]


def heads(one: Outbox, tally: Tally) -> list[tuple[list[str], dict[str, int]]]:
    """Take everything out of a box as if each batch was counted; answer reasons and what was told, by batch."""
    way, found = Line(one.producer, one, tally), []
    while (head := way.next()) is not None:
        found.append((reasons_in(head.lines), head.dropped))
        way.accepted()
    return found


def test_a_frame_torn_anywhere_costs_itself_alone() -> None:
    """However many bytes of the last frame arrived, those before it are read, and it is counted once."""
    payloads = [line(name) for name in NAMES]
    whole = b"".join(map(frame, payloads))
    last = len(frame(payloads[-1]))
    for cut in range(2, last):
        assert unframe(whole[:-cut]) == (payloads[:2], 1)
    assert unframe(whole[:-last]) == (payloads[:2], 0)
    assert unframe(whole) == (payloads, 0)


def test_a_changed_byte_costs_the_events_it_touches() -> None:
    """Wherever a byte is spoiled, no event is made up, at most two are lost, and the loss is counted."""
    payloads = [line(name) for name in NAMES]
    whole = b"".join(map(frame, payloads))
    for place in range(len(whole) - 1):
        spoiled = bytearray(whole)
        spoiled[place] ^= 0x01
        found, torn = unframe(bytes(spoiled))
        assert torn >= 1
        assert len(found) >= 1
        assert set(found) < set(payloads)


@pytest.mark.parametrize("spoil", [True, False])
def test_a_spoiled_event_of_a_killed_process_is_told_and_the_others_are_sent(tmp_path: Path, *, spoil: bool) -> None:
    """The batch tells of ``torn``; a segment that nobody touched tells of nothing."""
    with box(tmp_path, *NAMES):
        pass
    (segment,) = tmp_path.glob("*.seg")
    if spoil:
        segment.write_bytes(segment.read_bytes().replace(b'"b"', b'"x"'))
    tally = Tally()
    with box(tmp_path, tally=tally) as heir:
        expected = [(["a", "c"], {"torn": 1})] if spoil else [(["a", "b", "c"], {})]
        assert heads(heir, tally) == expected
        assert not Outbox.left(tmp_path)


def test_a_batch_that_cannot_be_read_is_counted_and_stands_in_nobodys_way(tmp_path: Path) -> None:
    """A sealed batch that is spoiled costs itself; what was recorded behind it is sent."""
    with box(tmp_path, "a") as first:
        Line("producer-1", first, Tally()).next()
        first.put(line("b"))
    (batch,) = tmp_path.glob("*.batch")
    batch.write_bytes(batch.read_bytes().replace(b'"a"', b'"x"'))
    tally = Tally()
    with box(tmp_path, tally=tally) as heir:
        assert heads(heir, tally) == [(["b"], {"torn": 1})]


def test_a_sealed_batch_is_sent_by_the_heir_with_the_same_bytes(tmp_path: Path) -> None:
    """Killed between its sealing and its answer: same identity, same body, so it is counted once; and nothing twice."""
    with box(tmp_path, *NAMES) as first:
        sealed = Line("producer-1", first, Tally()).next()
        assert sealed is not None
    with box(tmp_path) as heir:
        way = Line(heir.producer, heir, Tally())
        again = way.next()
        assert again is not None
        assert (again.body, again.epoch, again.seq) == (sealed.body, sealed.epoch, sealed.seq)
        way.accepted()
        assert way.next() is None
        assert way.epoch > sealed.epoch


def test_sealing_on_a_full_disk_fails_whole_and_goes_on_under_the_same_number(tmp_path: Path) -> None:
    """The events stay where they are until there is room; then the batch that failed is written, not another one."""
    with box(tmp_path, *NAMES) as one:
        way = Line("producer-1", one, Tally())
        (tmp_path / "000000000001.tmp").symlink_to("/dev/full")
        with pytest.raises(OSError, match="No space left"):
            way.next()
        assert not list(tmp_path.glob("*.batch"))
        assert unframe((tmp_path / "000000000001.seg").read_bytes())[1] == 0
        head = way.next()
        assert head is not None
        assert (head.seq, reasons_in(head.lines)) == (1, list(NAMES))
        assert [path.name for path in tmp_path.glob("*.batch")] == ["000000000001.batch"]
        assert not (tmp_path / "000000000001.seg").exists()


def test_what_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path) -> None:
    """A file is replaced or kept, never half of both, and nothing lies beside it."""
    place = tmp_path / "identity"
    write_durably(place, b"old")
    (tmp_path / "identity.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_durably(place, b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("identity", b"old")]
    write_durably(place, b"new")
    assert place.read_bytes() == b"new"


@contextlib.contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let no file of this process grow past ``size`` bytes: the write that reaches it is cut short."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_half_a_frame_on_a_full_disk_is_taken_back(tmp_path: Path) -> None:
    """The event that did not fit is dropped and said; those before it and behind it are whole."""
    tally = Tally()
    with box(tmp_path, "a", tally=tally) as one:
        with files_end_at(len(frame(line("a"))) * 3 // 2):
            assert one.put(line("b")) == "disk-full"
            assert one.put(line("b")) == "disk-full"
        assert one.put(line("c")) is None
        assert one.taken == 2
        assert heads(one, tally) == [(["a", "c"], {})]


def test_the_cap_holds_and_there_is_room_again_once_batches_are_answered(tmp_path: Path) -> None:
    """Past its bytes a box takes nothing; what it took is sent, and then it takes as much again."""
    size = len(frame(line("a")))
    tally = Tally()
    with box(tmp_path, most=10 * size + size // 2, tally=tally) as one:
        for _ in range(3):
            assert [one.put(line("a")) for _ in range(12)] == ["first", *[None] * 9, *["outbox-full"] * 2]
            assert sum(len(reasons) for reasons, _ in heads(one, tally)) == 10
        assert one.taken == 30


def test_what_somebody_tidies_up_under_a_running_agent_is_counted_and_frees_its_place(tmp_path: Path) -> None:
    """A segment that is gone is told of as torn, and the box is not full of what is not there."""
    size = len(frame(line("a")))
    tally = Tally()
    with box(tmp_path, *NAMES, most=4 * size, tally=tally) as one:
        (tmp_path / "000000000001.seg").unlink()
        assert heads(one, tally) == [([], {"torn": 3})]
        assert [one.put(line("a")) for _ in range(4)] == ["first", None, None, None]


def test_a_box_has_one_holder_at_a_time(tmp_path: Path) -> None:
    """A second is refused while the first lives, and let in when it is gone."""
    with box(tmp_path, "a"), pytest.raises(BlockingIOError):
        Outbox(tmp_path, "producer-2", PLENTY, Tally())
    with box(tmp_path) as heir:
        assert heads(heir, Tally()) == [(["a"], {})]


def test_a_box_that_is_taken_away_is_held_by_nobody(tmp_path: Path) -> None:
    """Who opened its lock before and gets it afterwards is refused, not left with a box that nobody will find."""
    folder = tmp_path / "box"

    class Late(Outbox):
        def _reach(self) -> None:
            super()._reach()
            with box(folder) as other:
                other.remove()

    with pytest.raises(BlockingIOError, match="just taken away"):
        Late(folder, "producer-2", PLENTY, Tally())
    assert not folder.exists()
    with box(folder, "a") as again:
        assert heads(again, Tally()) == [(["a"], {})]


def test_a_folder_that_is_taken_away_under_a_running_agent_is_made_again(tmp_path: Path) -> None:
    """What was not sealed in it is told of as torn; what comes later waits in a new one, held as the first was."""
    folder, tally = tmp_path / "box", Tally()
    with box(folder, *NAMES, tally=tally) as one:
        way = Line("producer-1", one, tally)
        shutil.rmtree(folder)
        torn = way.next()
        assert torn is not None
        assert (torn.lines, torn.dropped) == ([], {"torn": 3})
        shutil.rmtree(folder)
        way.begin_again()
        assert way.next() is torn
        assert json.loads(next(folder.glob("*.batch")).read_bytes()[18:])["dropped"] == {"torn": 3}
        way.accepted()
        one.put(line("d"))
        with pytest.raises(BlockingIOError):
            Outbox(folder, "producer-2", PLENTY, Tally())
    with box(folder) as heir:
        assert heads(heir, Tally()) == [(["d"], {})]
