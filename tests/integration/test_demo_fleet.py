"""The demo fleet as a person runs it: it lives until it is asked to stop, and says what becomes of its events."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.programs import ROOT
from tests.support.stacks import native

from fleet.web import ask

SCRIPT = ROOT / "scripts/demo_fleet.py"


@contextmanager
def fleet(log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a fleet with its output in ``log``; it is gone afterwards."""
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, str(SCRIPT), *words], stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def sent(log: Path) -> tuple[int, int, int]:
    """Return the last line's events: sent, queued, lost."""
    found = re.findall(r"events sent (\d+), queued (\d+), lost (\d+)", log.read_text())
    assert found, "no line yet"
    return int(found[-1][0]), int(found[-1][1]), int(found[-1][2])


def test_it_posts_until_it_is_asked_to_stop_and_the_exporter_counted_all_of_it(tmp_path: Path) -> None:
    """SIGTERM ends it with exit 0 and a last line; what it says it sent is what the exporter accepted."""
    log = tmp_path / "fleet.log"
    with native(tmp_path, "exporter") as stack, fleet(log, "--url", stack.urls["exporter"]) as process:
        eventually(lambda: _at_least(sent(log)[0], 17), within=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert "The fleet is gone" in log.read_text()
        exposition = ask(f"{stack.urls['exporter']}/metrics").text
    accepted = sum(float(value) for value in re.findall(r"(?m)^eddie_events_accepted_total\S* (\S+)$", exposition))
    assert sent(log) == (accepted, 0, 0)
    assert set(re.findall(r'agent_id="([^"_-]+)', exposition)) == {"demo"}


def test_an_exporter_that_goes_away_and_comes_back_misses_nothing(tmp_path: Path) -> None:
    """While it is away the line says so and events queue; afterwards all of them arrive."""
    log = tmp_path / "fleet.log"
    with native(tmp_path, "exporter") as stack, fleet(log, "--url", stack.urls["exporter"]) as process:
        eventually(lambda: _at_least(sent(log)[0], 17), within=60)
        stack.engines["exporter"].kill()
        eventually(lambda: _at_least(sent(log)[1], 1), within=60)
        assert "no answer from" in log.read_text()
        stack.start("exporter")
        eventually(lambda: _equal(sent(log)[1:], (0, 0)), within=60)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_it_stops_by_itself_after_its_duration_and_says_what_was_lost(tmp_path: Path) -> None:
    """Negative twin: with nobody there, all events are counted as lost, aloud."""
    log = tmp_path / "fleet.log"
    with fleet(log, "--url", "http://127.0.0.1:9", "--duration", "1") as process:
        assert process.wait(15) == 0
    assert sent(log)[:2] == (0, 0)
    assert sent(log)[2] >= 16


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    """`--events` writes the same bytes for a seed at any time, and others for another seed."""
    files = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        files.append(tmp_path / name)
        words = ["--events", str(files[-1]), "--seed", seed, "--duration", "60", "--scenario", "deep"]
        subprocess.run([sys.executable, str(SCRIPT), *words], check=True, capture_output=True)
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def _at_least(got: int, wanted: int) -> None:
    assert got >= wanted


def _equal(got: object, wanted: object) -> None:
    assert got == wanted


def test_a_burst_of_signals_ends_it_too(tmp_path: Path) -> None:
    """Ctrl-C reaches the fleet and its parent, which asks as well: a handler that waits for a lock would hang."""
    log = tmp_path / "fleet.log"
    for _ in range(6):
        with fleet(log, "--url", "http://127.0.0.1:9", "--scenario", "calm") as process:
            eventually(lambda: _at_least(log.stat().st_size, 1), within=60)
            for _ in range(60):
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
