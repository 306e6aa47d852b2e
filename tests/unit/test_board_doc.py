"""What docs/board.md says of settings and headers is what the board has."""

from __future__ import annotations

import re

import pytest
from tests.support.programs import ROOT

from eddie_board.guard import HEADERS, policy
from eddie_board.settings import Settings

TEXT = (ROOT / "docs/board.md").read_text()
ROWS = dict(re.findall(r"^\| `(EDDIE_\w+)` \| (.*?) \|", TEXT, re.MULTILINE))


def test_every_setting_stands_there_with_its_default() -> None:
    """No more, no fewer, and none with another default."""
    defaults = {f"EDDIE_{name.upper()}": str(field.default or "") for name, field in Settings.model_fields.items()}
    defaults["EDDIE_BOARD_ALLOWED_HOSTS"] = ""
    assert {name: value.strip("`") for name, value in ROWS.items()} == defaults


@pytest.mark.parametrize("name", [*HEADERS, "Content-Security-Policy"])
def test_every_header_is_explained(name: str) -> None:
    """A header that is sent is one that is written down."""
    assert f"`{name}`" in TEXT


def test_every_weak_word_of_the_policy_is_explained() -> None:
    """Whatever is unsafe says so in the text."""
    weak = [part for part in policy("x").split("; ") if "unsafe" in part]
    assert len(weak) == 2
    for part in weak:
        directive = part.split()[0]
        assert all(f"`{directive} {word}`" in TEXT for word in part.split() if "unsafe" in word), part


def test_a_decision_that_the_text_names_is_there() -> None:
    """Links inside the repository lead somewhere."""
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (ROOT / "docs" / link).exists(), link
