"""The demo fleet's happenings: tasks pass stages, time out, are split, run as chunks, are merged; each says so.

A discrete-event simulation: nothing is drawn "per second". A timeout happens because a piece of work takes longer
than its limit, a split because of that timeout, chunks run when an agent has a free slot, a merge when the last chunk
ended. What counts as what is the contract's: a run has one ``task-finished``, after its fallback; the timeout that
causes a split is only a ``timeout``.
"""

from __future__ import annotations

import math
import random
from functools import partial
from typing import Any

from fleet import scenarios as s
from fleet.agents import Crew, Happening, Story
from fleet.clock import Clock
from fleet.work import Agent, Chunk, Run, Task


class Simulation:
    """A fleet in one scenario. ``advance`` moves its clock and answers what happened; the seed decides all of it."""

    def __init__(self, scenario: s.Scenario, seed: int) -> None:
        self.scenario = scenario
        self._clock = Clock()
        self._story = Story(self._clock)
        self._crew = Crew(scenario.slowness, self._clock, self._story, self._begin)
        self._say, self.counts = self._story.say, self._story.counts
        self._random = random.Random(f"{scenario.name}/{seed}")  # noqa: S311 - a story, not a secret
        self._tasks = 0
        self._hard_due = 1.0
        self._clock.after(0.0, self._begin_in_the_middle)

    def advance(self, until: float) -> list[Happening]:
        """Run the fleet until ``until`` (seconds since its start) and return what happened since the last call."""
        self._clock.advance(until)
        return self._story.tell()

    @property
    def running(self) -> int:
        """Return how many units of work hold an agent's slot now."""
        return self._crew.running

    @property
    def waiting(self) -> int:
        """Return how many units of work wait for a free slot."""
        return len(self._crew.waiting)

    # Tasks arrive and pass their stages

    def _begin_in_the_middle(self) -> None:
        """Start as a fleet that was at work already: a task in every stage, and one too large in the quickest one.

        So that each stage ends, and a timeout, a split and a merge happen, within the first ten seconds: whoever opens
        the dashboard waits for a scrape, an evaluation and the next point of a graph besides.
        """
        for index in range(len(s.STAGES)):
            self._enter(self._task(None), index)
        quickest = min(range(len(s.STAGES)), key=lambda index: s.STAGES[index].timeout)
        self._enter(self._task(s.STAGES[quickest].name), quickest)
        self._arrive()

    def _task(self, hard_in: str | None) -> Task:
        self._tasks += 1
        return Task(f"demo-task-{self._tasks}", hard_in)

    def _arrive(self) -> None:
        hard = self._clock.now >= self._hard_due
        if hard:
            self._hard_due = self._clock.now + self.scenario.hard_every
        self._enter(self._task(s.HARD_STAGE if hard else None), 0)
        self._clock.after(self._random.expovariate(self.scenario.arrivals), self._arrive)

    def _enter(self, task: Task, index: int) -> None:
        stage = s.STAGES[index]
        hard = task.hard_in == stage.name
        core = self.scenario.core if hard and stage.name == s.HARD_STAGE else 0.0
        self._crew.submit(Run(task, stage, stage.timeout * s.HARD_WORK if hard else self.work_of(stage.work), core))

    def work_of(self, usual: float) -> float:
        """Draw a piece of work around ``usual`` seconds: log-normal, kept between 0.4 and 2 times of it."""
        return usual * min(max(self._random.lognormvariate(0.0, 0.35), 0.4), 2.0)

    def _begin(self, unit: Run | Chunk, agent: Agent) -> None:
        if isinstance(unit, Run):
            self._say(
                "task-started",
                task_id=unit.task.task_id,
                agent_id=agent.agent_id,
                stage=unit.stage.name,
                lease_seconds=s.LEASE_SECONDS,
            )
        else:
            self._say(
                "chunk-started",
                chunk_id=unit.chunk_id,
                agent_id=agent.agent_id,
                task_id=unit.run.task.task_id,
                lease_seconds=s.LEASE_SECONDS,
            )
        fair = agent.seconds_for(unit.work + unit.core)
        needed = fair * self.scenario.weather(self._clock.now)
        if needed <= unit.timeout:
            self._clock.after(needed, partial(self._complete, unit, agent))
        else:
            self._clock.after(unit.timeout, partial(self._time_out, unit, agent, self.reason_of(fair, unit.timeout)))

    @staticmethod
    def reason_of(fair: float, timeout: float) -> str:
        """Say why a unit timed out: with ``fair`` seconds it would have made it, were the upstream not slow."""
        deadline, upstream = s.TIMEOUT_REASONS
        return deadline if fair > timeout else upstream

    # A unit of work ends

    def _complete(self, unit: Run | Chunk, agent: Agent) -> None:
        self._crew.release(agent)
        broken = self._failure_of(unit)
        if isinstance(unit, Run):
            self._finish(unit, agent, ("failure", broken) if broken else None)
        else:
            self._end_chunk(unit, agent, "failure" if broken else "success")
            if broken:
                unit.run.trouble = unit.run.trouble or ("failure", "chunk-failed")
            else:
                unit.run.answers.append(self._answer(unit))
            self._settle(unit.run)
        self._crew.submit()

    def _failure_of(self, unit: Run | Chunk) -> str | None:
        if isinstance(unit, Run) and unit.stage.name == s.HARD_STAGE and self._random.random() < self.scenario.failing:
            return s.FAILURE_REASONS[0]
        if self._random.random() < self.scenario.chance:
            return self._random.choice(s.FAILURE_REASONS)
        return None

    def _answer(self, chunk: Chunk) -> int:
        """Return what a chunk found: its own part, or, now and then, what an earlier one of its run found already."""
        earlier = chunk.run.answers
        if earlier and self._random.random() < self.scenario.duplicates:
            return self._random.choice(earlier)
        return max(earlier, default=0) + 1

    def _time_out(self, unit: Run | Chunk, agent: Agent, reason: str) -> None:
        self._crew.release(agent)
        run = unit if isinstance(unit, Run) else unit.run
        run.avoid.add(agent.agent_id)
        if len(run.avoid) == len(s.AGENTS):
            run.avoid = {agent.agent_id}  # all of them failed it: start again, the last one excepted
        task_id = run.task.task_id
        self._say("timeout", agent_id=agent.agent_id, reason=reason, stage=run.stage.name, task_id=task_id)
        depth = 1
        if isinstance(unit, Chunk):
            self._end_chunk(unit, agent, "timeout")
            depth = unit.depth + 1
        if depth <= s.DEPTH_LIMIT:
            self._split(unit, run, depth)
        else:
            self._say("fallback-depth-exceeded", task_id=task_id, depth=depth, agent_id=agent.agent_id)
            run.trouble = run.trouble or ("timeout", "depth-exceeded")
        self._settle(run)
        self._crew.submit()

    def _split(self, unit: Run | Chunk, run: Run, depth: int) -> None:
        """Cut a unit's work into equal chunks; a core that cannot be divided stays whole, in the first of them."""
        count = min(max(math.ceil(unit.work / s.CHUNK_WORK), s.CHUNKS_LEAST), s.CHUNKS_MOST)
        self._say("task-split", task_id=run.task.task_id, chunks=count, depth=depth, stage=run.stage.name)
        self.counts["chunks"] += count
        for number in range(count):
            run.chunks_made += 1
            run.chunks_open += 1
            name = f"{run.task.task_id}.{run.stage.name}.{run.chunks_made}"
            core = unit.core if number == 0 else 0.0
            self._crew.submit(Chunk(name, run, depth, unit.work / count, core, s.CHUNK_TIMEOUT))

    def _end_chunk(self, chunk: Chunk, agent: Agent, outcome: str) -> None:
        chunk.run.chunks_open -= 1
        seconds = self._clock.now - chunk.started
        self._say(
            "chunk-execution",
            agent_id=agent.agent_id,
            seconds=round(seconds, 6),
            outcome=outcome,
            chunk_id=chunk.chunk_id,
            task_id=chunk.run.task.task_id,
            **self._bill(seconds),
        )

    def _settle(self, run: Run) -> None:
        """Merge and finish a run whose last chunk has ended."""
        if run.chunks_open or run.agent is None:
            return
        if run.answers:
            kept = len(set(run.answers))
            dropped = len(run.answers) - kept
            self.counts["kept"] += kept
            self.counts["dropped"] += dropped
            self._say("merge-deduplication", chunks=kept, duplicates=dropped, task_id=run.task.task_id)
        self._finish(run, run.agent, run.trouble)

    def _finish(self, run: Run, agent: Agent, trouble: tuple[str, str] | None) -> None:
        outcome, reason = trouble or ("success", None)
        self.counts[f"finished {outcome}"] += 1
        seconds = self._clock.now - run.started
        self._say(
            "task-finished",
            task_id=run.task.task_id,
            agent_id=agent.agent_id,
            stage=run.stage.name,
            seconds=round(seconds, 6),
            outcome=outcome,
            reason=reason,
            **self._bill(min(seconds, run.timeout)),  # while its chunks worked it spent nothing itself
        )
        following = s.STAGES.index(run.stage) + 1
        if trouble is None and following < len(s.STAGES):
            self._enter(run.task, following)

    def _bill(self, seconds: float) -> dict[str, Any]:
        """Return tokens and cost: a prompt, 40 tokens a second of answer, at 3 and 15 dollars a million."""
        tokens_in, tokens_out = self._random.randint(800, 4000), int(seconds * 40)
        return {
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "cost_usd": round(tokens_in * 3e-6 + tokens_out * 15e-6, 6),
        }
