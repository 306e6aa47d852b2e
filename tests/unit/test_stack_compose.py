from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stack import compose
from stack.model import Context, StackError

DOCKER = """#!/bin/sh
echo "$*" >>{calls}
[ "$1" != ps ] || echo "{place}"
"""


@pytest.fixture
def stack(tmp_path: Path) -> Callable[[Path], Context]:
    """Answer a stack on an engine whose containers were started from a given folder."""

    def make(place: Path) -> Context:
        root = tmp_path / "checkout"
        (tmp_path / "bin").mkdir()
        root.mkdir()
        docker = tmp_path / "bin" / "docker"
        docker.write_text(DOCKER.format(calls=tmp_path / "calls", place=place))
        docker.chmod(0o755)
        env = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "EDDIE_BIND": "127.0.0.1"}
        return Context(root, env, root / ".run", root / "secrets", {})

    return make


@pytest.mark.parametrize("act", [compose.up, compose.down, compose.destroy])
def test_another_checkouts_stack_is_left_alone(
    stack: Callable[[Path], Context], act: Callable[[Context], None], tmp_path: Path
) -> None:
    """Two clones have the same project name: the second neither changes nor ends nor removes the first's."""
    (tmp_path / "first").mkdir()
    with pytest.raises(StackError, match=r"first started them; .* COMPOSE_PROJECT_NAME"):
        act(stack(tmp_path / "first"))
    assert all(line.startswith("ps ") for line in (tmp_path / "calls").read_text().splitlines())


@pytest.mark.parametrize("name", ["checkout", "moved-away"])
def test_ones_own_stack_goes_down(stack: Callable[[Path], Context], name: str, tmp_path: Path) -> None:
    """A stack of this checkout, or of a folder that is gone, is ended."""
    compose.down(stack(tmp_path / name))
    assert "down --remove-orphans" in (tmp_path / "calls").read_text()
