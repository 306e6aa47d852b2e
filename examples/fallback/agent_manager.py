"""The fallback itself: a task that takes too long is split, its chunks go to several agents, their results are merged.

Some parts go to two agents, so that one slow agent costs nothing; the merge drops the result that came twice. A chunk
that takes too long is split again, until the task has no patience left: then it has failed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import select
import subprocess
import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from base_agent import Answer, Job
from eddie_metrics import get_client  # eddie

client = get_client()  # eddie

PARTS = 4
"""Into how many ranges a split cuts."""
TWICE = 1
"""How many of them go to two agents."""
STARTING, GRACE = 60.0, 10.0
"""Seconds an agent has to get ready, and to answer beyond its job's own; one that says nothing then is killed."""


class TooDeepError(Exception):
    """A chunk took too long as deep as its task may be split."""


class AgentLostError(Exception):
    """An agent died over its job."""


@dataclass(frozen=True)
class Task:
    """Count the primes in [low, high); `patience`: how long it may take whole, as a chunk, as a chunk's chunk."""

    task_id: str
    low: int
    high: int
    patience: tuple[float, ...]


class Ledger:
    """What happened, in plain numbers, counted where it happens; knows nothing of metrics."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, by: int = 1) -> None:
        """Count; from any thread."""
        with self._lock:
            self._counts[name] += by

    def counts(self) -> dict[str, int]:
        """Answer all counts by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))


class Home(Protocol):
    """Where an agent lives: a process of this machine, or a container."""

    def command(self) -> list[str]:
        """Answer the command that starts the agent."""

    def started(self) -> None:
        """Hear that the agent is ready."""

    def judge(self, answer: Answer) -> None:
        """Hear what became of a job."""

    def lost(self) -> None:
        """Hear that the agent is gone before its time, and remove what is left of it."""


class Agent:
    """An agent's process, and the queue of its jobs: it does one at a time. A process that died is started again."""

    def __init__(self, name: str, home: Home) -> None:
        self.name = name
        self._home = home
        self._queue = ThreadPoolExecutor(1)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process and wait until it is ready. Raises AgentLostError."""
        self._process = subprocess.Popen(self._home.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._said(within=STARTING) != "ready":
            self._give_up()
            raise AgentLostError(f"{self.name}: expected `ready`, got nothing; its words are above")
        self._home.started()

    def submit(self, job: Job) -> Future[Answer]:
        """Queue a job."""
        return self._queue.submit(self._ask, job)

    def end(self) -> None:
        """Let it end: it does when its standard input does."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError):
                process.communicate()

    def close(self) -> None:
        """Take no more jobs, and end it."""
        self._queue.shutdown()
        self.end()

    def _give_up(self) -> None:
        self.end()
        self._home.lost()

    def _said(self, told: str = "", *, within: float) -> str:
        """Tell it a line, and answer its next one; an empty one when it is gone, or hangs. Raises BrokenPipeError."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return ""
        if told:
            self._process.stdin.write(f"{told}\n")
            self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], within)[0]:
            self._process.kill()
        return self._process.stdout.readline().strip()

    def _ask(self, job: Job) -> Answer:
        try:
            if self._process is None:
                self.start()
            said = json.loads(self._said(json.dumps(dataclasses.asdict(job)), within=job.seconds + GRACE))
        except (OSError, ValueError, AgentLostError):
            self._give_up()
            return Answer(job, self.name, "lost", 0, 0.0)
        answer = Answer(**{**said, "job": job})
        self._home.judge(answer)
        return answer


class Manager:
    """Runs tasks on agents."""

    def __init__(self, agents: list[Agent], ledger: Ledger) -> None:
        self._ledger = ledger
        self._turns = itertools.cycle(agents)
        self._lock = threading.Lock()

    def run(self, tasks: Iterable[Task], at_once: int) -> dict[str, int | None]:
        """Answer each task's number of primes, None for one that failed."""
        with ThreadPoolExecutor(at_once) as pool:
            futures = {task.task_id: pool.submit(self._run, task) for task in tasks}
        return {task_id: future.result() for task_id, future in futures.items()}

    def _run(self, task: Task) -> int | None:
        try:
            with client.task(task.task_id, stage="count"):  # eddie
                primes = self._fall_back(task)
        except (TooDeepError, AgentLostError):
            self._ledger.add("tasks_failed")
            return None
        self._ledger.add("tasks_ok")
        return primes

    def _fall_back(self, task: Task) -> int:
        """Try it whole, then in chunks. Raises TooDeepError, AgentLostError."""
        whole = Job(task.task_id, "", task.low, task.high, task.patience[0])
        answer = self._next(1)[0].submit(whole).result()
        if answer.outcome == "success":
            return answer.primes
        self._not_done(answer)
        return self._merge(task, self._split(task, whole, depth=1))

    def _not_done(self, answer: Answer) -> None:
        """Count what took too long. Raises AgentLostError for a whole task."""
        if answer.outcome == "timeout":
            self._ledger.add("timeouts")
            client.record_timeout(  # eddie
                agent_id=answer.agent,  # eddie
                reason="deadline",  # eddie
                stage="count",  # eddie
                task_id=answer.job.task_id,  # eddie
            )  # eddie
        elif not answer.job.chunk_id:
            raise AgentLostError(f"{answer.job.task_id}: {answer.agent} died over it")

    def _split(self, task: Task, job: Job, depth: int) -> list[Answer]:
        """Answer what chunks of a job found, twice where two agents did. Raises TooDeepError, AgentLostError."""
        if depth == len(task.patience):
            self._ledger.add("depth_exceeded")
            client.record_fallback_depth_exceeded(task_id=task.task_id, depth=depth)  # eddie
            raise TooDeepError(f"{task.task_id}: [{job.low}, {job.high}) took too long at depth {depth - 1}, the last")
        chunks = self._hand_out(task, job, depth)
        answers = [[future.result() for future in part] for part in chunks]
        for answer in itertools.chain(*answers):
            self._ledger.add(f"chunks_{answer.outcome}")
            self._not_done(answer)
        found = list[Answer]()
        for part in answers:
            good = [answer for answer in part if answer.outcome == "success"]
            if not good and all(answer.outcome == "lost" for answer in part):
                raise AgentLostError(f"{part[0].job.chunk_id}: {part[0].agent} died over it")
            found += good or self._split(task, part[0].job, depth + 1)
        return found

    def _hand_out(self, task: Task, job: Job, depth: int) -> list[list[Future[Answer]]]:
        """Cut a job into parts and give each to an agent, the first ones to two."""
        edges = [job.low + (job.high - job.low) * part // PARTS for part in range(PARTS + 1)]
        self._ledger.add("splits")
        self._ledger.add("chunks", PARTS + TWICE)
        client.record_task_split(task_id=task.task_id, chunks=PARTS + TWICE, depth=depth, stage="count")  # eddie
        name = job.chunk_id or task.task_id
        handed = []
        for part, (low, high) in enumerate(itertools.pairwise(edges)):
            agents = self._next(2 if part < TWICE else 1)
            jobs = [Job(task.task_id, f"{name}.{part}{copy}", low, high, task.patience[depth]) for copy in "ab"]
            handed.append([agent.submit(job) for agent, job in zip(agents, jobs, strict=False)])
        return handed

    def _next(self, number: int) -> list[Agent]:
        with self._lock:
            return [next(self._turns) for _ in range(number)]

    def _merge(self, task: Task, answers: list[Answer]) -> int:
        """Add the results up, each range once."""
        kept = {(answer.job.low, answer.job.high): answer.primes for answer in answers}
        dropped = len(answers) - len(kept)
        self._ledger.add("merges")
        self._ledger.add("kept", len(kept))
        self._ledger.add("dropped", dropped)
        client.record_merge_deduplication(chunks=len(kept), duplicates=dropped, task_id=task.task_id)  # eddie
        return sum(kept.values())
