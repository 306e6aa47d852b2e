"""Station *event out*: one kept connection to the exporter, straight and through no proxy."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eddie_metrics.errors import ClientSettingsError

if TYPE_CHECKING:
    import http.client

# http.client, and ssl behind it, cost an agent's start more than all the rest: they are imported by the sending thread.
_MOST_ANSWER = 64 * 1024
LONGEST_ASKED = 3600.0
"""Seconds that a Retry-After is believed at most."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What one try was answered; ``retry_after`` in seconds."""

    status: int
    body: bytes
    retry_after: float | None = None

    def said(self) -> dict[str, Any]:
        """Answer the body's object, an empty one where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def _seconds(header: str | None) -> float | None:
    """Read a Retry-After: seconds, or a date."""
    if header is None:
        return None
    try:
        found = float(header) if header.strip().isdigit() else None
        if found is None:
            import email.utils  # noqa: PLC0415

            found = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(found, 0.0), LONGEST_ASKED)


class Wire:
    """Posts to ``url``/events. Raises ClientSettingsError when ``url`` is none; ``timeout`` in seconds."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        from urllib.parse import urlsplit  # noqa: PLC0415

        parts = urlsplit(url)
        try:
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number
            usable = False
        if not usable:
            raise ClientSettingsError(f"EDDIE_URL: expected an address such as http://127.0.0.1:8503, got {url!r}")
        self._scheme, self._host, self._port = parts.scheme, parts.hostname or "", parts.port
        self._path = f"{parts.path.rstrip('/')}/events"
        self._timeout = timeout
        self.place = f"{self._scheme}://{self._host}{f':{self._port}' if self._port else ''}{self._path}"
        self._kept: http.client.HTTPConnection | None = None
        self.local = self._host in {"localhost", "::1"} or self._host.startswith("127.")

    def _connection(self) -> http.client.HTTPConnection:
        import http.client  # noqa: PLC0415

        # http.client looks at no HTTP_PROXY; what stands between an agent and its exporter is never wanted here.
        kind = http.client.HTTPSConnection if self._scheme == "https" else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._timeout)

    def post(self, body: bytes, headers: dict[str, str]) -> Reply:
        """Send once. Raises OSError or http.client.HTTPException when no whole answer came: then nobody knows."""
        from eddie_metrics import __version__  # noqa: PLC0415  (which imports this module)

        said = {"Content-Type": "application/json", "User-Agent": f"eddie-metrics/{__version__}", **headers}
        if self._kept is not None:
            try:
                return self._exchange(self._kept, body, said)
            except ConnectionError:
                # The exporter closed it while it was idle; the same bytes again can do no harm.
                self.close()
        self._kept = self._connection()
        return self._exchange(self._kept, body, said)

    def _exchange(self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> Reply:
        try:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            content = response.read(_MOST_ANSWER)
            if response.will_close or not response.isclosed():
                self.close()
            return Reply(response.status, content, _seconds(response.headers.get("Retry-After")))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection; the next try opens another."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
