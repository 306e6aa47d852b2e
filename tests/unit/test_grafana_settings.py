"""Station "panel": Grafana's shared settings are lines that Grafana knows; whoever starts it sets the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from tests.support.grafanas import home_or_skip

ROOT = Path(__file__).parents[2]
ENV = ROOT / "grafana" / "grafana.env"
PROVISIONING = ROOT / "grafana" / "provisioning"


def lines() -> list[str]:
    """Return what is set, without comments."""
    return [line for line in ENV.read_text().splitlines() if line and not line.startswith("#")]


def named(texts: Iterable[str]) -> set[str]:
    """Return the variables that provisioning files take from Grafana's environment."""
    return {name for text in texts for name in re.findall(r"\$\{(EDDIE_\w+)\}", text)}


def provisioned() -> list[str]:
    """Return the text of every file of the provisioning."""
    return [path.read_text() for path in PROVISIONING.rglob("*") if path.suffix in {".yaml", ".json"}]


def known(defaults: str) -> set[str]:
    """Return every setting of a Grafana's ``defaults.ini`` as the environment spells it."""
    found, section = set(), ""
    for line in defaults.splitlines():
        if header := re.match(r"\[(.+)\]", line):
            section = f"{header[1]}_"
        elif key := re.match(r";?(\w+)\s*=", line):
            found.add("GF_" + re.sub(r"[.-]", "_", f"{section}{key[1]}").upper())
    return found


def test_every_line_is_plain() -> None:
    """Compose and native mode read the file alike: no quotes, nothing to expand, nothing twice."""
    assert all(re.fullmatch(r"[A-Z_]+=[\w.:/-]+", line) for line in lines())
    names = [line.split("=")[0] for line in lines()]
    assert len(names) == len(set(names))


def test_no_secret_and_no_address_is_shared() -> None:
    """What differs between the modes, or must not be committed, is not in the shared file."""
    assert not [
        line for line in lines() if re.match(r"EDDIE_|GF_PATHS|GF_SERVER|.*PASSWORD|.*SECRET_KEY|.*TOKEN", line)
    ]


def test_grafana_knows_every_setting() -> None:
    """A misspelt setting would be ignored without a word."""
    defaults = (home_or_skip() / "conf" / "defaults.ini").read_text()
    assert {line.split("=")[0] for line in lines()} <= known(defaults)
    assert "GF_USERS_ALLOW_SINGUP" not in known(defaults)


@pytest.mark.parametrize("starter", ["compose.yaml", "scripts/stack/native_services.py"])
def test_whoever_starts_grafana_sets_what_the_provisioning_names(starter: str) -> None:
    """An unset variable is empty, and a provider with an empty path reads every JSON file below its folder."""
    text = (ROOT / starter).read_text()
    if starter.endswith(".yaml"):
        text = str(yaml.safe_load(text)["services"]["grafana"]["environment"])
    links = {"EDDIE_ENVIRONMENT", "EDDIE_EXPORTER_PUBLIC_URL"}  # natively these are in the environment of all services
    wanted = named(provisioned()) - (set() if starter.endswith(".yaml") else links)
    assert wanted == {name for name in wanted if name in text}
    assert "EDDIE_LOCAL_DASHBOARDS_PATH" in wanted


def test_a_variable_nobody_sets_is_found() -> None:
    """Negative twin: a new name in the provisioning is among those that are asked for."""
    assert named(['"url": "${EDDIE_NEW_URL}/x", "a": "$EDDIE_BARE"']) == {"EDDIE_NEW_URL"}
