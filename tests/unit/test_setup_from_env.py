"""Station "panel", in somebody's own Grafana: `make setup-grafana` says on the command line what `.env` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from existing import setup
from stack.model import StackError

ROOT = Path(__file__).resolve().parents[2]


def test_each_key_becomes_its_option() -> None:
    """Keys that are set become options, in a fixed order; keys that are not are left to the script's defaults."""
    env = {"EXISTING_GRAFANA_URL": "http://g", "EDDIE_GRAFANA_TOKEN_FILE": "t", "EXISTING_ALERTMANAGER_URL": ""}
    assert setup.options(env) == ["--grafana-url", "http://g", "--token-file", "t"]


def test_without_a_grafana_it_says_which_key() -> None:
    """No address of a Grafana: the key to set is named."""
    with pytest.raises(StackError, match="EXISTING_GRAFANA_URL: expected the address of your Grafana"):
        setup.options({})


def test_every_key_is_in_the_example_and_in_the_docs() -> None:
    """Whoever looks into .env.example or docs/setup-grafana.md finds each key."""
    example = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert set(setup.OPTIONS) <= example
    assert all(key in (ROOT / "docs/setup-grafana.md").read_text() for key in setup.OPTIONS)
