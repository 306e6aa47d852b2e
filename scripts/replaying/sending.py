"""Replay into an exporter: the log in numbered batches, each the same bytes until it is answered, counted at now.

What is answered and what is under way stands in a small file beside the log. A batch is noted there before it is first
sent, so that a replay that was broken off anywhere sends it again under its own number, and it counts once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eddie_metrics.answers import AGAIN
from eddie_metrics.wire import Reply, Wire
from replaying.batches import Batch, Noted, cut
from replaying.log import Place, Refusals, ReplayError

LEAST_PAUSE, MOST_PAUSE = 0.5, 10.0  # seconds between tries, doubling
PAUSE = threading.Event()  # never set: its wait is a pause that Ctrl-C ends at once


@dataclass
class Replay:
    """Sends a log; ``token`` for its producer, ``patience`` seconds without any answer end it."""

    log: Path
    state: Path
    noted: Noted
    refusals: Refusals
    wire: Wire
    token: str | None
    patience: float
    say: Callable[[str], None]

    def run(self) -> None:
        """Send whatever of the log is not answered yet. Raises ReplayError, OSError."""
        self.refusals.back_to(self.noted.rejected_bytes)
        size, told = self.log.stat().st_size, 0.0
        while (batch := self._next()) is not None:
            self._settle(self._send(batch))
            if time.monotonic() - told > 1 or self.noted.done.byte >= size:
                told = time.monotonic()
                self._tell(size)

    def _tell(self, size: int) -> None:
        noted = self.noted
        share = noted.done.byte / size if size else 1.0
        self.say(f"{noted.done.line - 1} lines, {share:.0%}: {noted.counted} counted, {noted.rejected} refused")

    def _next(self) -> Batch | None:
        """Return the batch that was under way as it was, else a new one."""
        under = self.noted.under_way
        if under is None:
            return cut(self.log, self.noted.done)
        batch = cut(self.log, self.noted.done, Place(**under["end"]), under["refused"])
        if batch is None or hashlib.sha256(batch.body(self.noted)).hexdigest() != under["sha256"]:
            raise ReplayError(
                f"expected in {self.log} the lines that were sent last time, from line {self.noted.done.line} on, got"
                " others: the log was changed. Put it back as it was, or replay what is left of it as another file"
            )
        return batch

    def _note(self, batch: Batch) -> bytes:
        """Note that this batch goes out, before it does; return its bytes."""
        body = batch.body(self.noted)
        self.noted.under_way = {
            "end": dataclasses.asdict(batch.after),
            "refused": {str(line.at.line): why for line, why in batch.out},
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        self.noted.write(self.state)
        return body

    def _send(self, batch: Batch) -> Batch:
        """Send until it is taken, mended where an answer asks for that; return it as it was taken."""
        while batch.good or batch.out:
            reply = self._post(self._note(batch))
            if reply.status == 202:
                break
            said = reply.said()
            index = said.get("index")
            if reply.status == 422 and isinstance(index, int) and 0 <= index < len(batch.good):
                batch = batch.without(index, f"{said.get('field')}: expected {said.get('expected')}")
            elif reply.status in {413, 422} and len(batch.good) > 1:
                batch = batch.halved()
            elif reply.status in {413, 422} and batch.good:
                batch = batch.without(0, f"expected {said.get('expected')}")
            else:
                raise ReplayError(
                    f"expected 202 to lines {self.noted.done.line} to {batch.after.line - 1}, got {reply.status}"
                    f" {reply.body[:300].decode('utf-8', 'replace')}; {_advice(reply.status)}"
                )
        return batch

    def _post(self, body: bytes) -> Reply:
        """Post until somebody answers something that another try would not change. Raises ReplayError."""
        pause, began = LEAST_PAUSE, time.monotonic()
        while True:
            headers = {"Eddie-Sent": f"{time.time():.3f}", "Eddie-Oldest": str(self.noted.seq)}
            if self.token:
                headers["Authorization"] = f"Bearer {self.token}"
            asked = None
            try:
                reply = self.wire.post(body, headers)
            except (OSError, http.client.HTTPException) as error:
                why = f"no answer ({error})"
            else:
                if reply.status not in AGAIN:
                    return reply
                why, asked = f"{reply.status} {reply.body[:200].decode('utf-8', 'replace')}", reply.retry_after
            wait = max(asked or 0.0, random.uniform(pause / 2, pause))  # noqa: S311 - jitter
            if time.monotonic() + wait - began > self.patience:
                raise ReplayError(f"{why} for {self.patience:.0f} s; type the same again to go on from here")
            self.say(f"{why}; the same batch again in {wait:.1f} s")
            PAUSE.wait(wait)
            pause = min(2 * pause, MOST_PAUSE)

    def _settle(self, batch: Batch) -> None:
        """Note that a batch is answered, after the lines refused of it are kept."""
        noted = self.noted
        for line, why in batch.out:
            self.say(f"line {line.at.line} refused: {why}")
        noted.rejected_bytes = self.refusals.keep(batch.out)
        noted.rejected += len(batch.out)
        noted.counted += len(batch.good)
        noted.seq += bool(batch.good or batch.out)
        noted.done, noted.under_way = batch.after, None
        noted.write(self.state)


def _advice(status: int) -> str:
    if status in {401, 403}:
        return "is --token-file the exporter's ingest token, and the token one of this --producer?"
    if status == 409:
        return (
            "the exporter has counted other content under this number, or has forgotten this replay. What arrived is"
            " counted; --again replays the log from its beginning, and counts that twice"
        )
    return "is --url the exporter's address? Type the same again to go on from here"
