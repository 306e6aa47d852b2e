"""The example's agents: in containers whose limits move, as processes where Docker refuses, and when one dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.eventually import eventually
from tests.support.programs import run
from tests.support.stacks import native

import example

PRIMES = 71274
NOWHERE = "http://127.0.0.1:9"
FAKE = """#!/bin/sh
# Docker as the example sees it: `run` starts the agent here, and what is named in REFUSED fails.
case " $REFUSED " in *" $1 "*) echo "fake docker refuses $1" >&2; exit 1;; esac
case "$1" in
  run) for last; do :; done; exec {python} {agent} "$last";;
  inspect) echo 0123456789ab;;
esac
"""


def image() -> str:
    """Return an image with Python that this machine's engine has, or skip."""
    wanted = os.environ.get("PYTHON_IMAGE") or "python:3.11-slim-bookworm"
    here = run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}") if _engine() else None
    if here is None or here.returncode:
        pytest.skip("no container engine answers")
    names = here.stdout.split()
    found = [name for name in names if name == wanted or name.startswith("eddie-standin/python:")]
    if not found:
        pytest.skip(f"no image with Python: neither {wanted} nor a stand-in; `make ci-machine` makes one")
    return found[0]


def _engine() -> bool:
    try:
        return run("docker", "info").returncode == 0
    except OSError:
        return False


def test_in_containers_the_ledger_is_what_prometheus_says(tmp_path: Path) -> None:
    """Agents in containers, their limits raised and lowered: every total, adjustments too; no container is left."""
    chosen = image()
    with native(tmp_path, "exporter", "prometheus") as stack:
        url = stack.urls["exporter"]
        assert example.reached(chosen, "host", NOWHERE) == ""
        if not example.reached(chosen, "host", url):
            pytest.skip("containers in the host's network do not reach this machine's loopback")
        stack.scraped(time.time())
        before = example.totals(stack)
        process = example.start(example.environment(url), "--image", chosen, *example.docker_words(url, "host"))
        found = example.result(process, within=90)
        stack.scraped(time.time())
        rows = example.compared(found["ledger"], before, example.totals(stack))
        assert all(row.equal for row in rows), example.table(rows)
        assert found["primes"] == PRIMES
        assert found["ledger"]["containers"] == len(stack.samples("docker_container_cpu_limit")) == 3
        assert found["ledger"]["adjustments_cpu"] > 0 < found["ledger"]["adjustments_memory"]
    assert str(process.pid) not in run("docker", "ps", "--all", "--format", "{{.Names}}").stdout


def with_docker(folder: Path, *refused: str) -> dict[str, Any]:
    """Run the example with a Docker that refuses some commands."""
    fake = folder / "docker"
    fake.write_text(FAKE.format(python=sys.executable, agent=example.FOLDER / "base_agent.py"))
    fake.chmod(0o755)
    env = example.environment(NOWHERE, PATH=f"{folder}:{os.environ['PATH']}", REFUSED=" ".join(refused))
    return example.result(example.start(env, "--image", "any"), within=60)


def test_refused_limits_are_counted_and_the_work_goes_on(tmp_path: Path) -> None:
    """Each `docker update` fails: no adjustment, all results right."""
    found = with_docker(tmp_path, "update")
    assert found["primes"] == PRIMES
    assert found["ledger"]["adjustments_refused"] > 0
    assert not {"adjustments_cpu", "adjustments_memory"} & set(found["ledger"])


def test_agents_that_get_no_container_are_processes(tmp_path: Path) -> None:
    """Each `docker run` fails: three refusals, and the same results."""
    found = with_docker(tmp_path, "run")
    assert found["primes"] == PRIMES
    assert found["ledger"]["containers_refused"] == 3
    assert "containers" not in found["ledger"]


def test_an_agent_that_dies_costs_its_task_and_no_more() -> None:
    """SIGKILL of an agent: the task it worked on may fail, all others are right, and the agent is started again."""
    process = example.start(example.environment(NOWHERE, EDDIE_DISABLED="1"))
    agents = eventually(lambda: three(psutil.Process(process.pid)), within=20)
    agents[0].kill()
    found = example.result(process, within=60)
    ledger = found["ledger"]
    assert found["wrong"] == []
    assert ledger["tasks_ok"] + ledger["tasks_failed"] == 10
    assert ledger["tasks_ok"] >= 7, f"expected at most a task an agent to fail beside the hopeless one, got {ledger}"


def three(process: psutil.Process) -> list[psutil.Process]:
    """Return the agents' processes, once they are at work."""
    children = process.children()
    assert len(children) == 3
    assert all(child.cpu_times().user > 0.1 for child in children)
    return children


SPEAKS = """
import json
print("ready", flush=True)
job = json.loads(input())
{then}
print(json.dumps({{"job": job, "agent": "a1", "outcome": "success", "primes": 3, "seconds": 0.0}}), flush=True)
"""
"""An agent that takes one job; `then` is what it does before it answers."""
ALONE = """
import sys, agent_manager
from base_agent import Job

class Home:
    def command(self): return [sys.executable, "-c", sys.argv[1]]
    def started(self): print("started")
    def judge(self, answer): print("judged")
    def lost(self): print("lost")

agent_manager.GRACE = 0.5
agent = agent_manager.Agent("a1", Home())
print(agent.submit(Job("t1", "", 0, 6, 0.5)).result().outcome)
agent.close()
"""
"""An agent of the example and its one job; what its home hears is printed."""


@pytest.mark.parametrize(
    ("then", "heard"),
    [("import signal; signal.pause()", ["started", "lost", "lost"]), ("", ["started", "judged", "success"])],
)
def test_only_an_agent_that_hangs_loses_its_job(then: str, heard: list[str]) -> None:
    """One that says nothing beyond its job's time is killed and its home is told; one that answers is not."""
    env = example.environment(NOWHERE, EDDIE_DISABLED="1")
    env["PYTHONPATH"] += f":{example.FOLDER}"
    command = [sys.executable, "-c", ALONE, SPEAKS.format(then=then)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == heard
