"""Station *intake*: ``POST /events/<kind>`` and ``POST /events``; a request is applied whole or not at all.

These routes stand in front of FastAPI's, without its request objects: a batch of a hundred events is answered in the
time that FastAPI takes to begin. ``routes.py`` says in the OpenAPI document what they take.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from eddie_exporter import answers, decode
from eddie_exporter.access import Access, Grant
from eddie_exporter.answers import RefusalError
from eddie_exporter.batch import Batch, Envelope, Taken
from eddie_exporter.body import SMALL, BodyReader, Headers, headers_of
from eddie_exporter.envelope import MAX_NUMBER, is_envelope, open_envelope
from eddie_exporter.errors import ContractError, EddieError
from eddie_exporter.wording import short
from eddie_metrics.events import KINDS

NDJSON = b"application/x-ndjson"
"""The one content type that is not read as JSON (curl's default, a form, is read as JSON on purpose)."""

FULL = "eddie.full"
"""The ASGI extension that says: all places are taken, this connection is here to be told so."""
Submit = Callable[[Batch], Awaitable[Taken]]
"""Makes a batch durable and counts it; raises RefusalError, at once or when awaited."""
_Read = Callable[[bytes, Headers, Grant], Batch]

_JSON = (b"content-type", b"application/json")


def _sent(headers: Headers) -> float | None:
    """Answer the sender's clock, seconds since the epoch, from the header Eddie-Sent. Raises ContractError."""
    text = headers.get(b"eddie-sent")
    if text is None:
        return None
    try:
        seconds = math.nan if b"_" in text else float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 1e11:
        raise ContractError("seconds since the epoch, 0 to 1e11", field="Eddie-Sent")
    return seconds


def _oldest(headers: Headers) -> int | None:
    """Answer the lowest seq that the sender still holds, from the header Eddie-Oldest. Raises ContractError."""
    text = headers.get(b"eddie-oldest")
    if text is None:
        return None
    number = int(text) if text.isdigit() and len(text) <= 16 else 0
    if not 1 <= number <= MAX_NUMBER:
        raise ContractError(f"a whole number, 1 to {MAX_NUMBER}", field="Eddie-Oldest")
    return number


def _bare(grant: Grant) -> None:
    """Refuse bare events that come with a token of one producer: nothing in them says whose they are."""
    if grant.producer is not None:
        raise RefusalError(
            403,
            "forbidden",
            "an envelope of the producer that this token belongs to; bare events have no producer, "
            "for them use a token of any producer",
            "bare events",
        )


def read_many(body: bytes, headers: Headers, grant: Grant) -> Batch:
    """Read a JSON array, NDJSON by its content type, or an envelope. Raises EddieError."""
    sent, oldest = _sent(headers), _oldest(headers)
    if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == NDJSON:
        _bare(grant)
        return Batch(decode.decode_ndjson(body), len(body), sent)
    if not is_envelope(body):
        _bare(grant)
        return Batch(decode.decode_array(body), len(body), sent)
    opened = open_envelope(body)
    if grant.producer is not None and grant.producer != opened.producer:
        raise RefusalError(
            403,
            "forbidden",
            "the producer that this token belongs to",
            short(opened.producer),
            extra={"field": "producer"},
        )
    if oldest is not None and oldest > opened.seq:
        raise ContractError(f"at most {opened.seq}, the seq of the envelope itself", str(oldest), field="Eddie-Oldest")
    identity = Envelope(
        producer=opened.producer,
        epoch=opened.epoch,
        seq=opened.seq,
        checksum=hashlib.blake2b(body, digest_size=16).digest(),
        oldest=oldest,
        dropped=opened.dropped,
        unknown=opened.unknown,
    )
    return Batch(opened.events, len(body), sent, identity)


def read_one(kind: str) -> _Read:
    """Answer what reads one event of ``kind``."""

    def read(body: bytes, headers: Headers, _: Grant) -> Batch:
        return Batch([decode.decode_one(kind, body)], len(body), _sent(headers))

    return read


class Intake:
    """Takes the events of one request: token, bytes, contract, count; the first that fails refuses all of it.

    ``reject`` counts a refusal by its reason.
    """

    def __init__(self, access: Access, bodies: BodyReader, submit: Submit, reject: Callable[[str], None]) -> None:
        self._access = access
        self._bodies = bodies
        self._submit = submit
        self._reject = reject
        self.paths: dict[str, _Read] = {"/events": read_many, **{f"/events/{kind}": read_one(kind) for kind in KINDS}}

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request to one of ``paths``."""
        if scope["method"] != "POST":
            expected = f"another method than {scope['method']}; see the header Allow"
            refusal = RefusalError(405, "method", expected, headers={"Allow": "POST"})
            await answers.refusal(refusal)(scope, receive, send)
            return
        try:
            taken = await self._take(scope, receive)
        except EddieError as error:
            self._reject(answers.word(error))
            await answers.refusal(error)(scope, receive, send)
            return
        body = b'{"accepted":%d,"duplicates":%d}' % (taken.accepted, taken.duplicates)
        headers = [_JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _take(self, scope: Scope, receive: Receive) -> Taken:
        if FULL in scope.get("extensions", ()):
            said = "fewer connections at once; wait and send the same again"
            raise RefusalError(503, "overloaded", said, headers={"Connection": "close"})
        headers = headers_of(scope)
        grant = self._access.enter("ingest", headers.get(b"authorization", b"").decode("latin-1"))
        path = scope["path"]
        if path != "/events":
            _bare(grant)
        read = self.paths[path]
        with self._bodies.holding() as held:
            body = await self._bodies.read(headers, receive, held)
            if len(body) <= SMALL:
                batch = read(body, headers, grant)
            else:
                batch = await self._bodies.aside(read, body, headers, grant)
            # Decoded it is the queue's, which has bounds of its own.
            del body
        return await self._submit(batch)


class EventsFirst:
    """Hands what is posted to the event routes to the intake, and everything else on."""

    def __init__(self, app: ASGIApp, intake: Intake) -> None:
        self._app = app
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] in self._intake.paths:
            await self._intake.answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)
