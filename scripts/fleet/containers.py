"""The agents' containers: elastic limits that follow the load, one step at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

MIB = 2**20
CPU_LEAST, CPU_MOST = 1.0, 4.0
MEMORY_LEAST, MEMORY_MOST = 512 * MIB, 4096 * MIB
TICK_SECONDS = 10.0  # how often the limits are looked at
REPORT_SECONDS = 60.0  # an unchanged container says so this often: far below the gauges' 1800 s of life


@dataclass
class Container:
    """One container's limits: cores and bytes, both doubled or halved within their bounds."""

    container_id: str
    cpu_limit: float = CPU_LEAST
    memory_limit_bytes: int = MEMORY_LEAST
    reported: float = 0.0

    @property
    def speed(self) -> float:
        """Return the factor on an agent's speed: most of its time it waits for a model, so 4 cores give 1.4."""
        return math.sqrt(math.sqrt(self.cpu_limit / CPU_LEAST))

    def follow(self, busy: float) -> bool:
        """Move the limits towards the load ``busy`` (share of slots in use, 0…1); return whether one changed.

        Up at three quarters (memory already at half: it is what kills), down below a quarter; the space between
        keeps a steady load from swinging the limits.
        """
        cpu, memory = self.cpu_limit, self.memory_limit_bytes
        if busy >= 0.75:
            cpu = min(cpu * 2, CPU_MOST)
        elif busy < 0.25:
            cpu = max(cpu / 2, CPU_LEAST)
        if busy >= 0.5:
            memory = min(memory * 2, MEMORY_MOST)
        elif busy == 0:
            memory = max(memory // 2, MEMORY_LEAST)
        changed = (cpu, memory) != (self.cpu_limit, self.memory_limit_bytes)
        self.cpu_limit, self.memory_limit_bytes = cpu, memory
        return changed
