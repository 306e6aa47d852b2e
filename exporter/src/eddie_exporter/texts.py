"""Beside the data's way: texts of people and programs that are kept or shown, cut to what is harmless."""

from __future__ import annotations

LABEL_CHARACTERS = 128
"""As the contract bounds every string: at most 512 bytes, which `label_value_length_limit` counts."""


def clean(text: str, longest: int) -> str:
    """Cut ``text`` to ``longest`` characters without control characters and surrogates, which break a whole scrape."""
    return "".join(one for one in text[:longest] if one.isprintable()).strip()


def label(text: str) -> str | None:
    """Make a label value of ``text``, None when nothing is left; ``__`` in front is kept for the exporter's own."""
    return clean(text, LABEL_CHARACTERS).lstrip("_") or None
