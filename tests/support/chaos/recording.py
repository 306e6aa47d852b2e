"""An agent that is going to be killed: ``python -m tests.support.chaos.recording URL OUTBOX AGENT RUN NOTES``.

It records chunk executions of 1, 2, 3 … seconds for the agent ``RUN`` and writes into ``NOTES`` what it begins and
what has returned: one line each, written at once, so that it survives the kill as a record should.
"""

from __future__ import annotations

import os
import random
import sys

from eddie_metrics import Client

OPEN_SECONDS = 2
"""The lease of the chunk that each run begins and never ends."""


def main() -> None:
    """Record until somebody ends this process."""
    url, outbox, agent, run, notes = sys.argv[1:]
    client = Client(url, agent_id=agent, outbox=outbox)
    note = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    rnd = random.Random(run)  # noqa: S311  (no secret)
    client.record_chunk_started(chunk_id=f"{run}-open", agent_id=run, lease_seconds=OPEN_SECONDS)
    number = 0
    while True:
        number += 1
        os.write(note, b"+")
        client.record_chunk_execution(seconds=number, agent_id=run)
        os.write(note, b".")
        if rnd.random() < 0.002:
            client.flush(0.2)


if __name__ == "__main__":
    main()
