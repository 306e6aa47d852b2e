"""The table of faults in docs/reliability.md: each test it names exists, each test of a fault is in it, none lacks."""

from __future__ import annotations

import re

from tests.support.programs import ROOT

TEXT = (ROOT / "docs/reliability.md").read_text("utf-8")
FAULTS = 40


def defined() -> set[str]:
    """Answer the name of every test there is."""
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }


def test_every_test_that_the_document_names_exists() -> None:
    """A test that was renamed is noticed here."""
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert len(named) > 50
    assert named <= defined(), sorted(named - defined())


def test_every_test_of_a_fault_is_in_the_document() -> None:
    """The table leaves nothing out."""
    missing = {name for name in defined() if name.startswith("test_fault_") and f"`{name}`" not in TEXT}
    assert missing == set()


def test_every_fault_has_its_row() -> None:
    """Forty faults, each with a test or the reason why there is none."""
    rows = re.findall(r"^\| (\d+)(?:–(\d+))? \|", TEXT, re.MULTILINE)
    numbers = {one for first, last in rows for one in range(int(first), int(last or first) + 1)}
    assert numbers == set(range(1, FAULTS + 1))
