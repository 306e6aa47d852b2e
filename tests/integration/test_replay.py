"""`scripts/replay.py` against real engines: a log is counted once, whatever happens to it."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.support.event_logs import NOW, logged, timeout
from tests.support.eventually import eventually
from tests.support.exporters import Running, get, running
from tests.support.programs import ROOT

import replay
from eddie_metrics.ids import uuid7
from eddie_metrics.wire import Reply
from fleet.web import ask
from rig.engine import free_port


def samples(text: str, name: str) -> dict[str, float]:
    """Answer every series of a name in an exposition."""
    found = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))
    return {series: float(value) for series, value in found}


def counted(exporter: Running, name: str = "timeout_events_total") -> float:
    """Answer a metric's sum as a scrape shows it."""
    return sum(samples(get(f"{exporter.url}/metrics/prometheus"), name).values())


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Running]:
    """Give an exporter with a store."""
    (tmp_path / "store").mkdir()
    with running(tmp_path, EDDIE_DATA_DIR=str(tmp_path / "store")) as started:
        yield started


def replayed(exporter: Running, log: Path, *words: str) -> int:
    """Replay a log and answer the exit code."""
    return replay.main([str(log), "--url", exporter.url, "--token-file", str(log.parent / "none"), *words])


def test_a_log_is_counted_once_and_at_now(
    exporter: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line is counted; typed again nothing is; what is appended later is counted then; and it says `at now`."""
    log = logged(tmp_path, *(timeout(number, ts=NOW) for number in range(4500)))
    assert replayed(exporter, log) == 0
    said = capsys.readouterr()
    assert "counted at now" in said.err
    assert "4500 events counted, 0 lines refused" in said.out
    assert counted(exporter) == 4500
    assert counted(exporter, "eddie_late_events_total") in {0, 4500}  # by where the machine's clock is
    assert replayed(exporter, log) == 0
    assert counted(exporter) == 4500
    with log.open("a") as file:
        file.write(json.dumps(timeout(1)) + "\n")
    assert replayed(exporter, log) == 0
    assert counted(exporter) == 4501


def test_again_counts_twice(exporter: Running, tmp_path: Path) -> None:
    """Negative twin: what keeps a replay from counting twice is the file beside the log, and --again passes it by."""
    log = logged(tmp_path, *(timeout(number) for number in range(10)))
    assert replayed(exporter, log) == 0
    assert replayed(exporter, log, "--again") == 0
    assert counted(exporter) == 20


def test_refused_lines_are_named_and_kept(
    exporter: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no event is told with its line's number and kept; everything around it is counted."""
    bad = ["no JSON", '{"kind": "nonsense"}', '{"kind": "timeout", "agent_id": "a"}', '{"kind": NaN}', "[1]"]
    log = logged(tmp_path, timeout(1), *bad, "", timeout(2))
    assert replayed(exporter, log) == 1
    said = capsys.readouterr().err
    assert all(f"line {number} refused" in said for number in range(2, 7))
    kept = [json.loads(line) for line in (tmp_path / "events.ndjson.rejected").read_text().splitlines()]
    assert [(one["line"], one["text"]) for one in kept] == list(enumerate(bad, 2))
    assert counted(exporter) == 2
    assert counted(exporter, "eddie_client_dropped_events_total") == 5


def test_a_line_that_is_not_ended_waits(exporter: Running, tmp_path: Path) -> None:
    """A log that somebody still writes ends in half a line: it is left, and counted when it is whole."""
    log = logged(tmp_path, timeout(1))
    whole = json.dumps(timeout(2))
    with log.open("a") as file:
        file.write(whole[:20])
    assert replayed(exporter, log) == 1
    assert counted(exporter) == 1
    with log.open("a") as file:
        file.write(whole[20:] + "\n")
    assert replayed(exporter, log) == 0
    assert counted(exporter) == 2


def test_a_replay_killed_at_any_moment_goes_on_and_counts_once(exporter: Running, tmp_path: Path) -> None:
    """Killed again and again while it sends, it has in the end counted each line once, and kept each bad one once."""
    rows = [timeout(number) if number % 1000 else "bad" for number in range(30_000)]
    log = logged(tmp_path, *rows)
    command = [sys.executable, str(ROOT / "scripts/replay.py"), str(log), "--url", exporter.url]
    command += ["--token-file", str(tmp_path / "none")]
    kills = 0
    for attempt in range(120):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                status = process.wait(0.05 + 0.02 * attempt)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
                continue
        assert status == 1  # lines were refused
        break
    else:
        pytest.fail("expected the replay to come to its end, it did not in 120 tries")
    assert kills >= 3
    assert counted(exporter) == 30_000 - 30
    kept = (tmp_path / "events.ndjson.rejected").read_text().splitlines()
    assert [json.loads(line)["line"] for line in kept] == [number + 1 for number in range(0, 30_000, 1000)]


def test_an_exporter_that_is_away_breaks_it_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody answers: 3, and the words to type; when somebody does, it goes on."""
    log = logged(tmp_path, timeout(1))
    port = free_port()
    words = [str(log), "--url", f"http://127.0.0.1:{port}", "--patience", "1", "--token-file", str(tmp_path / "none")]
    assert replay.main(words) == 3
    assert "type the same again" in capsys.readouterr().err
    with running(tmp_path, EDDIE_PORT=str(port)) as exporter:
        assert replay.main(words) == 0
        assert counted(exporter) == 1


def test_a_changed_log_is_not_guessed_at(exporter: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another file of the same name is not taken for the rest of the first."""
    log = logged(tmp_path, timeout(1), timeout(2))
    assert replayed(exporter, log) == 0
    log.write_text(json.dumps(timeout(3)) + "\n")
    assert replayed(exporter, log) == 3
    assert "--again" in capsys.readouterr().err
    assert counted(exporter) == 2


def test_a_packed_log_is_counted_once(exporter: Running, tmp_path: Path) -> None:
    """gzip, as rotated logs are: counted, its small files beside it, and typed again nothing is counted twice."""
    plain = logged(tmp_path, *(timeout(number) for number in range(5000)), "bad")
    packed = tmp_path / "rotated.ndjson.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert [replayed(exporter, packed), replayed(exporter, packed)] == [1, 1]
    assert counted(exporter) == 5000
    assert {path.name for path in tmp_path.glob("rotated*")} == {
        "rotated.ndjson.gz",
        "rotated.ndjson.gz.replay",
        "rotated.ndjson.gz.rejected",
    }


def test_a_torn_archive_counts_nothing(exporter: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Negative twin: half an archive is not guessed at; it is said how to get at what is whole in it."""
    packed = tmp_path / "torn.gz"
    packed.write_bytes(gzip.compress(json.dumps(timeout(1)).encode() + b"\n")[:-12])
    assert replayed(exporter, packed) == 3
    assert f"zcat {packed} |" in capsys.readouterr().err
    assert counted(exporter) == 0


def test_what_is_piped_is_known_by_its_content(
    exporter: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard input is counted once, whoever pipes it again; another input, its negative twin, counts on its own."""
    monkeypatch.chdir(tmp_path)
    texts = ["".join(json.dumps(timeout(number)) + "\n" for number in range(size)) for size in (3, 3, 4)]
    for text, sum_after in zip(texts, (3, 3, 7), strict=True):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert replay.main(["-", "--url", exporter.url, "--token-file", str(tmp_path / "none")]) == 0
        assert counted(exporter) == sum_after
    assert len(list(tmp_path.glob("replay-*.ndjson"))) == 2
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("ts", [0.0, NOW - 400 * 86_400, 4e9])
def test_events_of_any_age_are_counted(ts: float, exporter: Running, tmp_path: Path) -> None:
    """No event is too old for a log, one of 1970 neither, nor one with an id that alone would be refused as old."""
    old = "01000000-0000-7000-8000-000000000001"
    log = logged(tmp_path, timeout(1, ts=ts), timeout(2, ts=ts, id=old))
    assert replayed(exporter, log) == 0
    assert counted(exporter) == 2
    headers = {"Content-Type": "application/json"}
    alone = ask(f"{exporter.url}/events", json.dumps([timeout(2, id=old)]).encode(), headers=headers)
    assert (alone.status, alone.json()["error"]) == (422, "id-old")


def test_what_was_posted_alone_counts_again_in_a_replay(exporter: Running, tmp_path: Path) -> None:
    """As the page warns: an event counted by its id is counted again in a replay; posted as it is it is not."""
    log = logged(tmp_path, timeout(1, id=uuid7()))
    headers = {"Content-Type": "application/x-ndjson"}
    for accepted in (1, 0):
        posted = ask(f"{exporter.url}/events", log.read_bytes(), headers=headers)
        assert (posted.status, posted.json()["accepted"]) == (202, accepted)
    assert counted(exporter) == 1
    assert replayed(exporter, log) == 0
    assert counted(exporter) == 2


def test_make_replay_counts_a_log(exporter: Running, tmp_path: Path) -> None:
    """`make replay LOG=…` sends to the exporter of the stack's settings, and passes on what replay answers."""
    port = exporter.url.rsplit(":", 1)[1]
    around = {**os.environ, "EDDIE_PORT": port, "EDDIE_RUN": str(tmp_path / "run")}
    log = logged(tmp_path, timeout(1), timeout(2))
    words = ["make", "-C", str(ROOT), "--no-print-directory", "replay", f"LOG={log}", f"ARGS=--token-file {log}.none"]
    made = subprocess.run(words, env=around, capture_output=True, text=True, check=False)
    assert (made.returncode, counted(exporter)) == (0, 2), made.stdout + made.stderr
    assert "2 events counted" in made.stdout
    without = subprocess.run(words[:5], env=around, capture_output=True, text=True, check=False)
    assert without.returncode != 0
    assert "LOG" in without.stderr


class Scripted:
    """A wire of ten lines: answers one after the other, and remembers what was sent."""

    answers: ClassVar[list[tuple[int, dict[str, Any]]]] = []
    seen: ClassVar[list[tuple[int, int, dict[str, int]]]] = []

    def __init__(self, url: str) -> None:
        """Take an address that nobody asks."""

    def close(self) -> None:
        """Have nothing to close."""

    def post(self, body: bytes, _: dict[str, str]) -> Reply:
        """Answer what comes next."""
        said = json.loads(body)
        self.seen.append((said["seq"], len(said["events"]), said.get("dropped", {})))
        status, words = self.answers[len(self.seen) - 1]
        return Reply(status, json.dumps(words).encode(), None)


def test_halves_and_what_only_the_exporter_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """413 is answered by halves and a 422 by the rest, under the same number, which only a 202 takes."""
    named = {"error": "contract", "index": 1, "field": "reason", "expected": "another"}
    monkeypatch.setattr(Scripted, "answers", [(413, {}), (422, named), (202, {"accepted": 1}), (202, {"accepted": 2})])
    monkeypatch.setattr(replay, "Wire", Scripted)
    log = logged(tmp_path, *(timeout(number) for number in range(4)))
    assert replay.main([str(log), "--token-file", str(tmp_path / "none")]) == 1
    assert Scripted.seen == [(1, 4, {}), (1, 2, {}), (1, 1, {"refused": 1}), (2, 2, {})]
    assert json.loads((tmp_path / "events.ndjson.rejected").read_text())["line"] == 2


def test_no_log_is_a_wrong_call(tmp_path: Path) -> None:
    """2, as everywhere."""
    assert replay.main([str(tmp_path / "none")]) == 2


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less between tries than a person would want."""
    monkeypatch.setattr("replaying.sending.LEAST_PAUSE", 0.1)


def test_an_exporter_restarted_in_the_middle(exporter: Running, tmp_path: Path) -> None:
    """Nothing is lost and nothing counted twice by a restart: the batch is sent again under its number."""
    log = logged(tmp_path, *(timeout(number) for number in range(20_000)))
    with subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/replay.py"), str(log), "--url", exporter.url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        eventually(lambda: _some(exporter), within=20)
        exporter.process.kill()
        exporter.process.wait(10)
        port = exporter.url.rsplit(":", 1)[1]
        again = tmp_path / "again"
        again.mkdir()
        with running(again, EDDIE_DATA_DIR=str(tmp_path / "store"), EDDIE_PORT=port) as second:
            assert process.wait(60) == 0
            assert counted(second) == 20_000


def _some(exporter: Running) -> None:
    assert counted(exporter) > 0
