"""The way from a script to the stack's programs: HTTP that no proxy gets between, with errors that say what to do."""

from __future__ import annotations

import ipaddress
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class UnreachableError(OSError):
    """Nobody answered at that address: look whether the stack is up (`make status`) and the address right."""


@dataclass(frozen=True)
class Answer:
    """What a server said: status code, the body's text, and its ``Retry-After`` in seconds where it sent one."""

    status: int
    text: str
    retry_after: float | None = None

    def json(self) -> Any:
        """Return the body as JSON; raises ValueError where it is none."""
        return json.loads(self.text)


def is_loopback(url: str) -> bool:
    """Say whether an address means this machine: a proxy elsewhere could only get it wrong."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def ask(url: str, body: bytes | None = None, *, headers: dict[str, str] | None = None, timeout: float = 5.0) -> Answer:
    """GET ``url``, or POST ``body`` to it, and return the answer whatever its status; UnreachableError if none came."""
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError(f"expected an address that begins with http:// or https://, got {url!r}")
    handlers = [urllib.request.ProxyHandler({})] if is_loopback(url) else []
    request = urllib.request.Request(url, data=body, headers=headers or {})  # noqa: S310 - the scheme is checked above
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
            return Answer(response.status, response.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        with error:
            wait = error.headers.get("Retry-After", "")
            text = error.read().decode("utf-8", "replace")
        return Answer(error.code, text, float(wait) if wait.isdigit() else None)
    except (OSError, ValueError) as error:  # URLError, a timeout, a connection cut in the middle
        reason = getattr(error, "reason", error)
        raise UnreachableError(f"no answer from {url}: {reason}") from error


def token_from(path: Path) -> str | None:
    """Return the first token of a token file (lines `token` or `producer token`); None where there is no such file."""
    if not path.exists():
        return None
    words = path.read_text(encoding="utf-8").split("\n", 1)[0].split()
    if not words:
        raise ValueError(f"expected a token in the first line of {path}, got an empty line; `make up` writes a new one")
    return words[-1]
