"""The demo in containers, for real: a fleet in a stack of its own, and after Ctrl-C nothing of either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.composed import Composed, left


def test_ctrl_c_ends_all_of_it(tmp_path: Path) -> None:
    """The fleet's events arrive in the throw-away stack; Ctrl-C, which everybody gets, removes all, data included."""
    stack = Composed(tmp_path, f"eddie-test-show-{os.getpid()}")
    stack.need()
    command = [sys.executable, "scripts/stack", "demo", "--scenario", "calm"]
    process = subprocess.Popen(
        command, cwd=stack.root, env=stack.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        sent = next((line for line in process.stdout if "events sent" in line and "events sent 0" not in line), None)
        assert sent is not None, "expected the fleet to send events, got the end of the demo"
        agents = stack.get("exporter", "/metrics/summary")["agents"]
        assert agents
        assert all(name.startswith("demo-") for name in agents)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert rest.splitlines()[-1] == "the demo is gone, data included"
    project = f"{stack.project}-demo"
    assert left(project) == []
    volumes = stack.docker("volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project}")
    assert volumes == ""
    assert not (tmp_path / "run" / "demo").exists()
