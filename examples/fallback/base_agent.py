"""An agent of the example: it counts the primes of the ranges that standard input names, a JSON line each.

The work is real and wants a processor; the answer is checked by whoever asked. Every line marked `# eddie` is the
agent's metrics; without those lines (`plain.py` takes them out) it is the same agent.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from dataclasses import dataclass

from eddie_metrics import Client  # eddie

BLOCK = 100
"""Numbers between two looks at the clock."""


@dataclass(frozen=True)
class Job:
    """Count the primes in [low, high) within `seconds`; `chunk_id` is empty while the task is still whole."""

    task_id: str
    chunk_id: str
    low: int
    high: int
    seconds: float


@dataclass(frozen=True)
class Answer:
    """What became of a job: outcome `success`, `timeout`, or `lost` when the agent died over it."""

    job: Job
    agent: str
    outcome: str
    primes: int
    seconds: float


def is_prime(number: int) -> bool:
    """Answer by trial division: slow on purpose, and never wrong."""
    if number < 4 or number % 2 == 0:
        return number in {2, 3}
    return all(number % divisor for divisor in range(3, math.isqrt(number) + 1, 2))


def count(job: Job) -> int:
    """Do the work. Raises TimeoutError when it takes longer than the job allows."""
    deadline = time.monotonic() + job.seconds
    found = 0
    for low in range(job.low, job.high, BLOCK):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{job.task_id}: expected an end within {job.seconds} s, got as far as {low}")
        found += sum(map(is_prime, range(low, min(low + BLOCK, job.high))))
    return found


def main(name: str) -> None:
    """Answer jobs until standard input ends."""
    client = Client(agent_id=name)  # eddie
    client.record_agent_hello(agent_id=name, language="python", stages=["count"], reasons=["deadline"])  # eddie

    def chunk(job: Job) -> int:
        with client.chunk(job.chunk_id, task_id=job.task_id):  # eddie
            return count(job)

    print("ready", flush=True)
    for line in sys.stdin:
        job = Job(**json.loads(line))
        begun = time.monotonic()
        outcome, primes = "success", 0
        try:
            primes = chunk(job) if job.chunk_id else count(job)
        except TimeoutError:
            outcome = "timeout"
        answer = Answer(job, name, outcome, primes, time.monotonic() - begun)
        print(json.dumps(dataclasses.asdict(answer)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
