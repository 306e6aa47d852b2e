"""One request at a time, made by hand: for faults that are about a single batch."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence

from tests.support.chaos.traffic import Event
from tests.support.chaos.wire import Reply, Request


def sealed(
    producer: str, epoch: int, seq: int, events: Sequence[Event], *, oldest: int | None = None, **more: object
) -> Request:
    """Seal a batch."""
    body = {"producer": producer, "epoch": epoch, "seq": seq, "events": list(events), **more}
    headers = {} if oldest is None else {"eddie-oldest": str(oldest)}
    return Request("/events", headers, json.dumps(body).encode())


def bare(events: Sequence[Event]) -> Request:
    """Make a request of bare events."""
    return Request("/events", {}, json.dumps(list(events)).encode())


def timeouts(number: int, agent: str = "a") -> list[Event]:
    """Make so many events of one kind."""
    return [{"kind": "timeout", "agent_id": agent, "reason": "deadline"}] * number


def post(port: int, request: Request, timeout: float = 20) -> Reply:
    """Send it on a connection of its own. Raises OSError."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    headers: Mapping[str, str] = {"content-type": "application/json", **request.headers}
    try:
        link.request("POST", request.path, request.body, dict(headers))
        answer = link.getresponse()
        again = answer.getheader("retry-after")
        return Reply(answer.status, answer.read(), float(again) if again else None)
    except http.client.HTTPException as error:
        raise ConnectionError("expected a whole answer") from error
    finally:
        link.close()
