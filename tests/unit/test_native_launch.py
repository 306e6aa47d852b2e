"""The rhythm of restarts, and that nobody else's process is ever ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.eventually import eventually

from stack.native_launch import next_delay, note, read, start_ticks, stop_earlier
from stack.native_places import Places
from stack.native_processes import pid_of, running


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that is not ours to end."""
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


def test_the_first_restart_is_at_once_then_doubles_to_two_seconds() -> None:
    """The design's sequence: at once, 0.1 s, doubling, 2 s for ever."""
    delays, last = [], None
    for _ in range(9):
        last = next_delay(last, ran=0.2)
        delays.append(last)
    assert delays == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


def test_five_seconds_up_reset_the_rhythm() -> None:
    """A service that was well for 5 s comes back at once, however often it failed before."""
    assert next_delay(2.0, ran=5.0) == 0


def test_less_than_five_seconds_up_reset_nothing() -> None:
    """One that ended a moment too early goes on waiting longer."""
    assert next_delay(0.4, ran=4.9) == 0.8


def test_a_process_is_known_by_more_than_its_number(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    """A note of a process that is gone does not mean the one that has its number today."""
    place = Places(tmp_path)
    place.make()
    note(place.state / "exporter.json", other.pid)
    assert pid_of(place, "exporter") == other.pid
    noted = read(place.state / "exporter.json")
    (place.state / "exporter.json").write_text(f'{{"pid": {other.pid}, "ticks": {noted["ticks"] - 1}}}')
    assert pid_of(place, "exporter") is None
    assert running(place) == {}


def test_a_dead_process_that_nobody_waited_for_does_not_run(other: subprocess.Popen[bytes]) -> None:
    """A process that ended counts as gone, also before its parent took notice."""
    other.kill()

    def gone() -> None:
        assert start_ticks(other.pid) is None

    eventually(gone, within=5)


def test_an_earlier_process_of_the_service_is_ended(other: subprocess.Popen[bytes]) -> None:
    """What a killed supervisor left holds port and data, so it goes before the service starts again."""
    stop_earlier({"pid": other.pid, "ticks": start_ticks(other.pid)})
    assert other.wait(5) == -signal.SIGTERM


def test_somebody_elses_process_is_left_alone(other: subprocess.Popen[bytes]) -> None:
    """A note whose number went to another process ends nothing."""
    ticks = start_ticks(other.pid)
    assert ticks is not None
    stop_earlier({"pid": other.pid, "ticks": ticks - 1})
    stop_earlier({})
    assert other.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_half_a_note_is_no_note(text: str, tmp_path: Path) -> None:
    """A note that cannot be read says nothing, and stops nothing."""
    (tmp_path / "note.json").write_text(text)
    assert read(tmp_path / "note.json") == {}


def test_a_note_is_written_in_one_step(tmp_path: Path) -> None:
    """Beside the note nothing is left."""
    note(tmp_path / "note.json", os.getpid(), starts=1)
    assert [path.name for path in tmp_path.iterdir()] == ["note.json"]
