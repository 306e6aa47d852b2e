"""`--check-config` says what an exporter would use and what is to be mended; it changes nothing and tells no secret."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from eddie_exporter import checking
from eddie_exporter.checking import Report
from eddie_exporter.journal import Journal
from eddie_exporter.metrics import MetricsCollector
from eddie_exporter.settings import DEFAULT_BUCKETS, Settings
from eddie_exporter.writer import Writer


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the caller's own settings away."""
    for name in list(os.environ):
        if name.startswith("EDDIE_"):
            monkeypatch.delenv(name)


def listing(folder: Path) -> list[tuple[str, int, int]]:
    """Answer every file below a folder, with its size and time."""
    return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*"))


def counted(folder: Path, buckets: tuple[float, ...] = DEFAULT_BUCKETS) -> Settings:
    """Make a store that has counted one event, closed in an orderly way."""
    chosen = Settings(data_dir=folder, buckets=buckets, docker=False)
    collector = MetricsCollector(chosen)
    writer = Writer(collector, Journal.of(chosen), chosen, lambda _: None)
    writer.start()
    collector.record_timeout(agent_id="a1", reason="deadline")
    writer.stop()
    return chosen


def store_lines(report: Report) -> list[str]:
    """Answer what a report says of the store."""
    return [line for line in report.found if line.startswith("store: ")]


def test_defaults_are_good_and_every_setting_is_listed() -> None:
    """Nothing is to be mended; each setting stands there once, marked as nobody's choice."""
    report = checking.check()
    assert report.to_mend == []
    names = {line.partition("=")[0] for line in report.found if line.startswith("EDDIE_")}
    assert names == {f"EDDIE_{name.upper()}" for name in Settings.model_fields}
    assert all(line.endswith("(default)") for line in report.found if line.startswith("EDDIE_"))


def test_what_is_set_is_shown_as_a_variable_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a line can be copied into `.env`; one somebody misspelt is named, its value is not."""
    monkeypatch.setenv("EDDIE_BUCKETS", "1, 2.5")
    monkeypatch.setenv("EDDIE_DOCKER", "0")
    monkeypatch.setenv("EDDIE_INGEST_TOKEN", "s3cret")
    found = checking.check().found
    assert "EDDIE_BUCKETS=1 2.5" in found
    assert "EDDIE_DOCKER=false" in found
    assert any("misspelt: EDDIE_INGEST_TOKEN" in line for line in found)
    assert "s3cret" not in "\n".join(found)


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a token, nor what stands in an address before the host or behind the question mark."""
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    monkeypatch.setenv("EDDIE_INGEST_TOKEN_FILE", str(token))
    monkeypatch.setenv("EDDIE_PROMETHEUS_URL", "http://user:s3cret@prom:9090/x?key=s3cret")
    report = checking.check()
    said = "\n".join(report.found + report.to_mend)
    assert "s3cret" not in said
    assert "EDDIE_PROMETHEUS_URL=http://…@prom:9090/x?…" in said
    assert f"door ingest: asks for a token of {token}, which can be read" in report.found


def test_wrong_settings_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mistake, by the name of its variable."""
    monkeypatch.setenv("EDDIE_PORT", "x")
    monkeypatch.setenv("EDDIE_DURABILITY", "maybe")
    names = [line.partition(":")[0] for line in checking.check().to_mend]
    assert names == ["EDDIE_PORT", "EDDIE_DURABILITY"]


def test_token_files_directory_and_address_are_told_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What would stop the start one after the other is told at once."""
    (tmp_path / "empty").touch()
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDDIE_INGEST_TOKEN_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("EDDIE_READ_TOKEN_FILE", str(tmp_path / "empty"))
    monkeypatch.setenv("EDDIE_DATA_DIR", str(tmp_path / "file" / "data"))
    monkeypatch.setenv("EDDIE_HOST", "256.0.0.1.invalid.")
    told = checking.check().to_mend
    wanted = ["EDDIE_HOST", "EDDIE_INGEST_TOKEN_FILE", "EDDIE_READ_TOKEN_FILE", "EDDIE_DATA_DIR"]
    assert [line.partition("=")[0] for line in told] == wanted


def test_a_directory_that_is_not_there_is_not_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An exporter would make it: that is said, and not done."""
    monkeypatch.setenv("EDDIE_DATA_DIR", str(tmp_path / "a" / "b"))
    report = checking.check()
    assert (report.to_mend, store_lines(report)) == ([], [f"store: none yet, {tmp_path}/a/b would be made"])
    assert listing(tmp_path) == []


def test_a_store_is_recognised_and_left_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its place and size are told; no file of it is touched, none is added."""
    counted(tmp_path)
    before = listing(tmp_path)
    monkeypatch.setenv("EDDIE_DATA_DIR", str(tmp_path))
    report = checking.check()
    assert report.to_mend == []
    assert store_lines(report)[0].startswith(f"store: {tmp_path}/journal.db, ")
    assert listing(tmp_path) == before


def test_a_store_in_use_is_good_and_says_whose_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beside an exporter that serves the check takes nothing away from it."""
    chosen = counted(tmp_path)
    monkeypatch.setenv("EDDIE_DATA_DIR", str(tmp_path))
    journal = Journal.of(chosen)
    assert journal is not None
    report = checking.check()
    assert report.to_mend == []
    assert store_lines(report)[0].endswith(f"in use by process {os.getpid()}")
    journal.close()
    assert "in use" not in store_lines(checking.check())[0]


def test_other_buckets_than_the_stores_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What would end the start with 65 is told with the buckets to set again."""
    counted(tmp_path, (1.0, 2.0))
    monkeypatch.setenv("EDDIE_DATA_DIR", str(tmp_path))
    told = checking.check().to_mend
    assert len(told) == 1
    assert "was counted with 1 2; set that again" in told[0]
    monkeypatch.setenv("EDDIE_BUCKETS", "1 2")
    assert checking.check().to_mend == []


@pytest.mark.parametrize("content", ["text", "foreign", "newer"])
def test_what_is_no_store_of_this_exporter_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    """Another file, another program's database, a newer exporter's store: with the way out."""
    path = tmp_path / "journal.db"
    if content == "text":
        path.write_text("hello\n" * 100)
    else:
        counted(tmp_path)
        db = sqlite3.connect(path)
        db.execute("PRAGMA application_id=7" if content == "foreign" else "PRAGMA user_version=99")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
    monkeypatch.setenv("EDDIE_DATA_DIR", str(tmp_path))
    told = checking.check().to_mend
    assert len(told) == 1
    assert "--start-fresh" in told[0]
