"""The end of a test run names what was passed and what was left out, and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.counts import lines

ROOT = Path(__file__).resolve().parents[2]


def test_reasons_are_grouped_and_the_most_frequent_comes_first() -> None:
    """Ten tests without Docker are one line."""
    assert lines(7, ["no Grafana", "no Docker", "no Docker"]) == [
        "7 passed, 3 skipped, because of:",
        "    2 × no Docker",
        "    1 × no Grafana",
    ]


def test_where_nothing_was_skipped_it_says_so() -> None:
    """Negative twin: no reasons, no list."""
    assert lines(7, []) == ["7 passed, 0 skipped: nothing was left out"]


def test_a_run_ends_with_the_counts_and_then_pytests_own_line(tmp_path: Path) -> None:
    """A real run: skips in tests, by mark and while collecting are counted, and pytest's line stays the last."""
    (tmp_path / "test_a.py").write_text(
        "import pytest\n"
        "def test_fine(): pass\n"
        "def test_not(): pytest.skip('no engine')\n"
        "@pytest.mark.skip(reason='no engine')\n"
        "def test_neither(): pass\n"
    )
    (tmp_path / "test_b.py").write_text("import pytest\npytest.skip('no browser', allow_module_level=True)\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.counts", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    *_, head, first, second, last = done.stdout.splitlines()
    assert head == "1 passed, 3 skipped, because of:"
    assert [first, second] == ["    2 × no engine", "    1 × no browser"]
    assert "1 passed, 3 skipped in " in last
