"""The example's entrance: agents in Docker containers with elastic limits, or processes; the work; the ledger.

    python docker_orchestrator.py --agents 3 --image python:3.11-slim
    python docker_orchestrator.py --image ''          # no containers

A container whose job took too long gets twice the processor and memory, one that is quick gives half of it back. What
Docker refuses is counted, and the work goes on. The last line of the output is the ledger, as JSON; exit 1 when a
number of primes is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from agent_manager import Agent, AgentLostError, Ledger, Manager, Task
from base_agent import Answer
from eddie_metrics import get_client  # eddie

client = get_client()  # eddie

HERE = Path(__file__).resolve().parent
PRIMES_BELOW = (0, 9592, 17984, 25997, 33860, 41538, 49098, 56543, 63951, 71274, 78498)
"""How many there are below each multiple of 100 000, as the tables say: what every result is checked against."""
STEP = 100_000
MIB = 2**20
LEAST, MOST = (0.25, 64 * MIB), (float(os.cpu_count() or 1), 512 * MIB)
"""Between which limits a container moves: processors, bytes of memory."""


class Process:
    """An agent as a process of this machine: it has no limits to move."""

    def __init__(self, agent: str) -> None:
        self.agent = agent

    def command(self) -> list[str]:
        """Answer the command that starts the agent."""
        return [sys.executable, str(HERE / "base_agent.py"), self.agent]

    def started(self) -> None:
        """Hear that the agent is ready."""

    def judge(self, answer: Answer) -> None:
        """Hear what became of a job."""

    def lost(self) -> None:
        """Hear that the agent is gone: nothing is left of it."""


def docker(*words: str) -> str | None:
    """Answer what a docker command printed; None when Docker refused, is not there, or says nothing for 20 s."""
    try:
        return subprocess.run(["docker", *words], capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


@dataclass
class Container:
    """An agent's container, and its limits."""

    agent: str
    image: str
    words: list[str]
    ledger: Ledger
    cpus: float = 0.5
    memory: int = 128 * MIB
    container_id: str = ""

    @property
    def name(self) -> str:
        """Answer the container's name."""
        return f"{self.agent}-{os.getpid()}"

    def command(self) -> list[str]:
        """Answer the command that runs the agent in it."""
        run = ["docker", "run", "--interactive", "--rm", "--name", self.name, *self._limits(), *self.words]
        run += ["--volume", f"{HERE}:/example:ro", "--entrypoint", "python3"]
        return [*run, self.image, "/example/base_agent.py", self.agent]

    def _limits(self) -> list[str]:
        return [f"--cpus={self.cpus}", f"--memory={self.memory}", f"--memory-swap={self.memory}"]

    def started(self) -> None:
        """Hear that the agent is ready, and tell its limits."""
        self.ledger.add("containers")
        self.container_id = docker("inspect", "--format", "{{.Id}}", self.name) or self.name
        self._tell()

    def judge(self, answer: Answer) -> None:
        """Raise the limits after a job that took too long, lower them after a quick one."""
        factor = 2.0 if answer.outcome == "timeout" else 0.5 if answer.seconds < answer.job.seconds / 4 else 1.0
        before = (self.cpus, self.memory)
        self.cpus = min(max(self.cpus * factor, LEAST[0]), MOST[0])
        self.memory = min(max(int(self.memory * factor), LEAST[1]), MOST[1])
        if (self.cpus, self.memory) == before:
            return
        if docker("update", *self._limits(), self.name) is None:
            self.ledger.add("adjustments_refused")
            self.cpus, self.memory = before
            return
        self.ledger.add("adjustments_cpu", int(self.cpus != before[0]))
        self.ledger.add("adjustments_memory", int(self.memory != before[1]))
        self._tell()

    def lost(self) -> None:
        """Hear that the agent is gone before its time, and remove the container that may still hang."""
        docker("rm", "--force", self.name)

    def _tell(self) -> None:
        print(f"{self.agent}: {self.cpus} processors, {self.memory // MIB} MiB", file=sys.stderr)
        client.record_docker_resource_allocation(  # eddie
            container_id=self.container_id,  # eddie
            cpu_limit=self.cpus,  # eddie
            memory_limit_bytes=self.memory,  # eddie
            agent_id=self.agent,  # eddie
        )  # eddie


def agent(name: str, image: str, words: list[str], ledger: Ledger) -> Agent:
    """Start an agent in a container, or as a process where there is no image, or Docker does not start it."""
    if image:
        made = Agent(name, Container(name, image, words, ledger))
        try:
            made.start()
        except (OSError, AgentLostError) as error:
            print(f"{name}: no container, so it is a process ({error})", file=sys.stderr)
            ledger.add("containers_refused")
            made.close()
        else:
            return made
    made = Agent(name, Process(name))
    made.start()
    return made


def plan(rounds: int) -> Iterator[Task]:
    """Answer the work: in each round tasks that end in time, after one split, after two, and one that never does."""
    for turn in range(rounds):
        for number, patience in enumerate([(60.0,)] * 3 + [(0.05, 60.0)] * 3 + [(0.05, 0.005, 60.0)] * 3):
            yield Task(f"count-{turn}-{number}", number * STEP, (number + 1) * STEP, patience)
        yield Task(f"count-{turn}-hopeless", 9 * STEP, 10 * STEP, (0.05, 0.005, 0.001))


def main() -> int:
    """Do the work and print the ledger."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1, help="how often the same ten tasks")
    parser.add_argument("--image", default="", help="with python3 >= 3.11, for the agents; without one: processes")
    parser.add_argument("--run", action="append", default=[], metavar="WORD", help="a further word for docker run")
    options = parser.parse_args()
    ledger = Ledger()
    with ThreadPoolExecutor(options.agents) as pool:
        names = [f"example-{number}" for number in range(1, options.agents + 1)]
        agents = list(pool.map(lambda name: agent(name, options.image, options.run, ledger), names))
        try:
            tasks = list(plan(options.rounds))
            begun = time.monotonic()
            found = Manager(agents, ledger).run(tasks, at_once=options.agents)
            seconds = time.monotonic() - begun
        finally:
            list(pool.map(Agent.close, agents))
    wrong = []
    for task in tasks:
        expected = PRIMES_BELOW[task.high // STEP] - PRIMES_BELOW[task.low // STEP]
        if found[task.task_id] not in {None, expected}:
            wrong.append(f"{task.task_id}: expected {expected} primes, got {found[task.task_id]}")
    primes = sum(each or 0 for each in found.values())
    print(json.dumps({"primes": primes, "wrong": wrong, "seconds": round(seconds, 3), "ledger": ledger.counts()}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
