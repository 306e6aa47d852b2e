"""Asked: somebody's Prometheus over its HTTP API; whatever comes instead of an answer becomes one line."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, Any, NoReturn

from fleet.web import is_loopback

LARGEST = 256 * 1024 * 1024
"""Bytes of an answer that is still read; the rules and targets of a large Prometheus are some megabytes."""


class NoPrometheusError(Exception):
    """Nobody, or no Prometheus, answers there: the message says what came and what to do."""


class NotAllowedError(Exception):
    """It wants credentials, or better ones: the message says which option gives them."""


class NotToldError(Exception):
    """A Prometheus, or what speaks like one, does not answer this question; the message says what it answered."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token must not follow to wherever an answer points, and a page to log in at is no answer."""

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any) -> None:
        """Follow nothing: the redirect itself is the answer."""

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class Server:
    """The API below ``url``; ``authorization`` is the header's value, ``timeout`` the seconds one answer may take."""

    def __init__(self, url: str, *, authorization: str = "", ca_file: str | None = None, timeout: float = 10.0) -> None:
        self.url, self.timeout = url.rstrip("/"), timeout
        self._headers = {"Accept": "application/json", **({"Authorization": authorization} if authorization else {})}
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if self.url.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
        if is_loopback(self.url):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def data(self, path: str, **parameters: str) -> Any:
        """Return ``data`` of an API call such as ``data("query", query="up")``.

        Raises NotToldError for a status other than 200 or a body that is not the API's, NotAllowedError for 401 and
        403, NoPrometheusError where nothing or half an answer came.
        """
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        url = f"{self.url}/api/v1/{path}{query}"
        status, kind, body = self._get(url)
        short = f"{status} from {url}"
        if status in {401, 403}:
            raise NotAllowedError(f"{short}: give --bearer-token-file, or --user with --password-file, that may read")
        if 300 <= status < 400:
            raise NotToldError(f"{short}, which points to {kind or 'nowhere'}: give the address it ends at")
        if status != 200:
            raise NotToldError(f"{short}: {_said(body)}")
        try:
            answer = json.loads(body)
        except ValueError:
            what = "an HTML page (of a proxy, or to log in at?)" if b"<" in body[:200] else "no JSON, or half of it"
            raise NotToldError(f"{short} with {what}: expected Prometheus's API") from None
        if not isinstance(answer, dict) or answer.get("status") != "success" or "data" not in answer:
            raise NotToldError(f'{short} without "status": "success": expected Prometheus\'s API, got {_said(body)}')
        return answer["data"]

    def _get(self, url: str) -> tuple[int, str, bytes]:
        """Return status, where a redirect points to, and the body."""
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - the options allow http and https only
        until = time.monotonic() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                return int(answer.status), "", self._whole(answer, until)
        except urllib.error.HTTPError as error:
            body = b""
            with error, contextlib.suppress(OSError, http.client.HTTPException):  # its status says enough
                body = error.read(4096)
            return error.code, error.headers.get("Location", ""), body
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._unreachable(error)

    def _whole(self, answer: http.client.HTTPResponse, until: float) -> bytes:
        """Read a body that comes in time: each read has the socket's time-out, all of them together this one."""
        parts, size = [], 0
        while part := answer.read1(65_536):
            parts.append(part)
            size += len(part)
            if time.monotonic() > until:
                raise TimeoutError("timed out in the middle of an answer")
            if size > LARGEST:
                raise ValueError(f"an answer of more than {LARGEST} bytes")
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        return b"".join(parts)

    def _unreachable(self, error: Exception) -> NoReturn:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            advice = f"{reason.verify_message}; name the authority that signed its certificate with --ca-file"
        elif isinstance(reason, ssl.SSLError):
            advice = f"TLS failed ({reason.reason or reason}); is it https, and this port?"
        elif isinstance(reason, TimeoutError):
            advice = f"no whole answer within {self.timeout:g} s; is a firewall between, is --timeout too short?"
        elif isinstance(reason, ConnectionRefusedError):
            advice = "connection refused; is it running, and on this port?"
        elif isinstance(reason, http.client.IncompleteRead):
            advice = "the answer broke off; ask again, and look at what stands between"
        else:
            advice = f"{_said(str(reason).encode()) or type(reason).__name__}; is the address right?"
        raise NoPrometheusError(f"{self.url}: {advice}") from error


def bearer(token: str) -> str:
    """Return the header's value for a bearer token."""
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    """Return the header's value for a user's password."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode('ascii')}"


def _said(body: bytes) -> str:
    """Return the error an API's body names, else its beginning: one line of it."""
    text = body.decode("utf-8", "replace")
    try:
        answer = json.loads(text)
        text = str(answer["error"]) if isinstance(answer, dict) and answer.get("error") else text
    except ValueError:
        if "<" in text[:200]:
            text = "an HTML page"
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:200] or "nothing"
