"""A document under test: its blocks of code, in the order in which somebody reads them, each under its heading."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.support.programs import ROOT


@dataclass(frozen=True)
class Block:
    """A block of code: the heading above it, its place below that (from 1), its language, and what stands in it."""

    heading: str
    number: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Name it, as a test does."""
        return self.heading if self.number == 1 else f"{self.heading} ({self.number})"


def blocks(document: str, *languages: str) -> list[Block]:
    """Return the blocks in these languages of a document below docs/."""
    text = (ROOT / "docs" / document).read_text()
    found: list[Block] = []
    for heading, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL):
        fenced = re.findall(r"^```(\w+)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
        chosen = [one for one in fenced if one[0] in languages]
        found += [Block(heading, number, *one) for number, one in enumerate(chosen, 1)]
    return found
