"""The fleet's four stories: what is wrong in each, and how wrong, in numbers with their reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One step of a task: its usual work and its timeout, both in seconds."""

    name: str
    work: float
    timeout: float


# In the order a task passes them. Usual work varies between 0.4 and 2 times the value (see `Simulation.work_of`), so
# that on a healthy agent in fair weather nothing reaches its timeout by chance: calm stays calm for every seed.
STAGES = (
    Stage("plan", 2.0, 10.0),
    Stage("code", 5.0, 15.0),
    Stage("test", 3.0, 10.0),
    Stage("review", 2.5, 10.0),
    Stage("choose", 1.0, 5.0),
)
# The stage whose work is sometimes too large for one agent, and whose tools break in `failing`.
HARD_STAGE = "code"

AGENTS = (
    "demo-arthur",
    "demo-ford",
    "demo-trillian",
    "demo-zaphod",
    "demo-marvin",
    "demo-fenchurch",
    "demo-agrajag",
    "demo-deepthought",
)
SLOW_AGENT = "demo-marvin"
SLOTS = 4  # units of work an agent runs side by side

CHUNK_TIMEOUT = 8.0
CHUNK_WORK = 5.0  # a split makes chunks of about this many seconds, but at least three
CHUNKS_LEAST, CHUNKS_MOST = 3, 6
DEPTH_LIMIT = 3  # three splits by three make work 27 times smaller: without an unsplittable core it always fits
HARD_WORK = 1.6  # a hard task's work as a multiple of its stage's timeout: over it also in the largest container
LEASE_SECONDS = 300  # far above the longest fallback; after an interrupted demo the gauges are clean in 5 minutes

# Why a timeout happened: its cause decides, not a die (see `Simulation.reason_of`).
TIMEOUT_REASONS = ("deadline", "upstream-slow")
FAILURE_REASONS = ("tool-error", "bad-output", "rate-limited")


@dataclass(frozen=True)
class Scenario:
    """What one story changes; every field is a physical cause, none is an alert."""

    name: str
    alert: str | None  # the alert it must bring, None: it must bring none of the three
    arrivals: float = 1.0  # tasks a second (mean of a Poisson process)
    slowness: float = 1.3  # factor on the slow agent's work
    waves: float = 0.0  # height of the upstream's slow waves: factor 1 + waves at the crest
    hard_every: float = 75.0  # seconds between tasks too large for one agent: 4 timeouts in 5 minutes
    core: float = 0.0  # seconds of a hard task's work that no split can divide
    failing: float = 0.0  # share of runs of the hard stage that end in tool-error
    chance: float = 0.003  # share of all runs and chunks that fail by ordinary bad luck
    duplicates: float = 0.05  # share of chunk results that say what another one already said

    def weather(self, now: float) -> float:
        """Return the factor on all work at ``now``: the upstream model's slow waves, one crest every two minutes."""
        return 1.0 + self.waves * max(0.0, math.sin(2 * math.pi * now / 120.0))


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        # One agent six times too slow, and an upstream that slows everybody in waves: timeouts, rescued by splits.
        Scenario("storm", "HighTimeoutEvents", slowness=6.0, waves=1.2, hard_every=40.0, duplicates=0.12),
        # The tools of one stage are broken: three of four runs fail, fast, without a timeout.
        Scenario("failing", "HighFailureRate", failing=0.75),
        # Now and then a task with 40 s of work that cannot be divided: each level of the fallback times out, up to
        # the limit. At 170 s a 5 minute window holds two of them, 8 timeouts: below what HighTimeoutEvents calls high.
        Scenario("deep", "FallbackDepthExceeded", hard_every=170.0, core=40.0),
        Scenario("calm", None),
    )
}
