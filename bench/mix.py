"""What the bench sends: a fleet's day in the proportions of one, and the same bytes for everybody it compares."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.load import Request

AGENTS = 50
STAGES = ("plan", "edit", "test", "review")
NUMBER = "@@number@@"
"""Stands in a prepared body where each batch has its own number, so that no id comes twice."""
EARLIER = "@@earlier@@"
"""Stands for the number of the batch ``LAG`` before: work takes its time, so what begins in one ends in another."""
LAG = 10
BATCH = 100


def begun(number: int, task: str) -> Iterator[dict[str, Any]]:
    """Yield the first ten events of a task: started, timed out, split in seven that are taken up."""
    agent = f"agent-{number % AGENTS:03}"
    stage = STAGES[number % len(STAGES)]
    yield {"kind": "task-started", "task_id": task, "agent_id": agent, "stage": stage}
    yield {"kind": "timeout", "agent_id": agent, "reason": "deadline", "stage": stage, "task_id": task}
    yield {"kind": "task-split", "task_id": task, "chunks": 7, "depth": 1, "stage": stage}
    for chunk in range(7):
        yield {"kind": "chunk-started", **_chunk(number, task, chunk)}


def ended(number: int, task: str) -> Iterator[dict[str, Any]]:
    """Yield its last ten: the chunks are worked on and merged, a limit follows, and it finishes."""
    for chunk in range(7):
        spent = {"tokens_in": 1200 + chunk, "tokens_out": 340, "cost_usd": 0.0123} if chunk % 2 else {}
        outcome = "timeout" if chunk == 6 else "success"
        seconds = 3.5 * chunk + number % 9
        yield {
            "kind": "chunk-execution",
            **_chunk(number, task, chunk),
            "seconds": seconds,
            "outcome": outcome,
            **spent,
        }
    yield {"kind": "merge-deduplication", "task_id": task, "chunks": 6, "duplicates": 1}
    cores = 1 + number % 2
    yield {"kind": "docker-resource-allocation", "container_id": f"box-{number % AGENTS}", "cpu_limit": cores}
    ids = {"task_id": task, "agent_id": f"agent-{number % AGENTS:03}", "stage": STAGES[number % len(STAGES)]}
    yield {"kind": "task-finished", **ids, "seconds": 61.25 + number % 7, "outcome": "success"}


def _chunk(number: int, task: str, chunk: int) -> dict[str, str]:
    worker = f"agent-{(number * 7 + chunk) % AGENTS:03}"
    return {"chunk_id": f"{task}-{chunk}", "task_id": task, "agent_id": worker}


def events(offset: int) -> list[dict[str, Any]]:
    """Answer a batch of 100: five tasks begin, and the five that began a few batches before end."""
    made: list[dict[str, Any]] = []
    for number in range(offset, offset + BATCH // 20):
        made += begun(number, f"task-{NUMBER}-{number % 5}")
        made += ended(number, f"task-{EARLIER}-{number % 5}")
    return [{**event, "ts": round(time.time(), 3)} for event in made]


def plain(offset: int) -> list[dict[str, Any]]:
    """Answer a batch of 100 timeouts: events that count, and leave nothing behind that has to be followed."""
    told = [{"kind": "timeout", "agent_id": f"agent-{(offset + place) % AGENTS:03}"} for place in range(BATCH)]
    return [{**one, "reason": "deadline", "stage": "plan", "task_id": f"task-{NUMBER}"} for one in told]


def post(path: str, body: bytes, headers: str = "", content_type: str = "application/json") -> bytes:
    """Answer a whole request."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def envelopes(path: str, epoch: int, make: Callable[[int], list[dict[str, Any]]] = events) -> Request:
    """Answer what makes numbered batches of 100: each connection is a producer with a sequence of its own."""
    prepared = [json.dumps(make(place * 5), separators=(",", ":")).encode() for place in range(LAG)]
    mark, earlier = NUMBER.encode(), EARLIER.encode()

    def request(connection: int, number: int) -> bytes:
        told = prepared[number % len(prepared)].replace(mark, b"%02d%08d" % (connection, number))
        told = told.replace(earlier, b"%02d%08d" % (connection, max(0, number - LAG)))
        head = b'{"producer":"bench-%d","epoch":%d,"seq":%d,"events":' % (connection, epoch, number + 1)
        return post(path, head + told + b"}")

    return request


def fleet(path: str, agents: int) -> Request:
    """Answer what lets so many agents end one chunk each, in bodies of 100, and then says that it is enough."""

    def request(_connection: int, number: int) -> bytes | None:
        names = [f"agent-{place:05}" for place in range(number * BATCH, min(agents, (number + 1) * BATCH))]
        ended = [
            {"kind": "chunk-execution", "agent_id": name, "seconds": place / 7} for place, name in enumerate(names)
        ]
        return post(path, json.dumps(ended).encode()) if ended else None

    return request


def scrape(_connection: int, _number: int) -> bytes:
    """Ask as Prometheus does."""
    accepts = "Accept: application/openmetrics-text;version=1.0.0\r\nAccept-Encoding: gzip\r\n"
    return f"GET /metrics/prometheus HTTP/1.1\r\nHost: bench\r\n{accepts}\r\n".encode()


def single(path: str) -> Request:
    """Answer what makes single timeouts, the same bytes each time."""
    body = b'{"agent_id":"agent-007","reason":"deadline","stage":"plan","task_id":"task-4711"}'
    wire = post(path, body)
    return lambda _connection, _number: wire


def push(samples: int) -> Request:
    """Answer what pushes so many samples to a Pushgateway, a group a connection."""
    lines = "".join(f'bench_total{{agent_id="agent-{number:03}",reason="deadline"}} 1\n' for number in range(samples))
    body = f"# TYPE bench_total counter\n{lines}".encode()
    wires = [post(f"/metrics/job/bench/instance/{place}", body, content_type="text/plain") for place in range(256)]
    return lambda connection, _number: wires[connection]
