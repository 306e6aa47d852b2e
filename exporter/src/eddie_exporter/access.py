"""Station *intake* and the reading side: who may knock at which door, decided before a body is read.

A token file has a line per token: ``token``, or ``producer token`` for a token that one producer owns. It is read
again when it changes. It never fails open: missing, empty or unreadable it stops the start, and later it closes
its door (503) until it is mended.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
from fastapi import Request

from eddie_exporter.answers import RefusalError
from eddie_exporter.errors import TokenFileError
from eddie_exporter.settings import Settings

Name = Literal["ingest", "alerts", "read"]

_MAX_BYTES = 2**20
"""A token file of more is somebody's mistake; it is read on the event loop."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """A token was good; ``producer`` names its owner, None when any producer may use it."""

    producer: str | None = None


_ANY = Grant()
_KEY = os.urandom(32)


def _digest(token: str) -> bytes:
    """Make of a token what nobody outside can foresee.

    So how long it takes to find, or not to find, says nothing of the tokens in the file; and among the tokens of
    a thousand producers one is found as fast as of one.
    """
    return hashlib.blake2b(token.encode("utf-8", "surrogateescape"), key=_KEY, digest_size=32).digest()


def _parse(text: str) -> dict[bytes, Grant]:
    """Read the lines; the error is a sentence that never contains a token."""
    found: dict[bytes, Grant] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if len(words) > 2:
            raise ValueError(f"line {number}: expected `token` or `producer token`, got {len(words)} words")
        if words:
            digest, grant = _digest(words[-1]), Grant(words[0]) if len(words) == 2 else _ANY
            if found.setdefault(digest, grant) != grant:
                raise ValueError(f"line {number}: expected a token of its own, got one that an earlier line has")
    if not found:
        raise ValueError("expected at least one token, got an empty file")
    return found


class TokenFile:
    """The tokens of one file, as it is now.

    Raises TokenFileError when made from a file that is missing, empty or unreadable.
    """

    def __init__(self, path: Path, setting: str) -> None:
        self._path = path
        self._setting = setting
        self._stamp: tuple[int, int, int] | None = None
        self._tokens: dict[bytes, Grant] = {}
        self.wrong: str | None = None
        self.refresh()
        if self.wrong is not None:
            raise TokenFileError([self.wrong])

    def refresh(self) -> None:
        """Read the file again if its inode, size or time changed; ``wrong`` then says why it cannot be used."""
        stamp: tuple[int, int, int] | None = None
        try:
            status = self._path.stat()
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
            if stamp == self._stamp:
                return
            if status.st_size > _MAX_BYTES:
                raise ValueError(f"expected at most {_MAX_BYTES} bytes, got {status.st_size}")  # noqa: TRY301
            tokens = _parse(self._path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            self._close(os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error), stamp)
        else:
            if self._stamp is not None:
                log.info("token file read again", setting=self._setting, tokens=len(tokens))
            self._tokens, self._stamp, self.wrong = tokens, stamp, None

    def _close(self, why: str, stamp: tuple[int, int, int] | None) -> None:
        wrong = f"{self._setting}={self._path}: {why}; write a line `token` into it, or unset {self._setting}"
        if wrong != self.wrong:
            log.error("token file cannot be used, its door is closed", setting=self._setting, why=why)
        self._tokens, self._stamp, self.wrong = {}, stamp, wrong

    def grant(self, token: str) -> Grant | None:
        """Answer what ``token`` allows, None when nothing."""
        return self._tokens.get(_digest(token))


def _bearer(authorization: str) -> str | None:
    scheme, _, value = authorization.partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def _basic(authorization: str) -> str | None:
    """Answer the password of HTTP Basic: browsers can ask a person for that, and for nothing else."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2] or None
    except (binascii.Error, ValueError):
        return None


class Access:
    """All doors: ``ingest`` (events), ``alerts`` (the inbox), ``read`` (everything else but health).

    A door without a token file in the settings is open. Raises TokenFileError, naming every file that is wrong.
    """

    def __init__(self, settings: Settings) -> None:
        paths = {
            "ingest": settings.ingest_token_file,
            "alerts": settings.alerts_token_file,
            "read": settings.read_token_file,
        }
        mistakes: list[str] = []
        self._files: dict[str, TokenFile] = {}
        for name, path in paths.items():
            if path is None:
                continue
            try:
                self._files[name] = TokenFile(path, f"EDDIE_{name.upper()}_TOKEN_FILE")
            except TokenFileError as error:
                mistakes += error.mistakes
        if mistakes:
            raise TokenFileError(mistakes)

    def closed(self, name: Name) -> str | None:
        """Say why a door is closed to everybody, None when it is not."""
        file = self._files.get(name)
        if file is None:
            return None
        file.refresh()
        return file.wrong

    def obstacle(self) -> str | None:
        """Say why nobody can send events now, None when they can; without a path, because health asks no token."""
        return "the ingest token file cannot be used; the log says why" if self.closed("ingest") else None

    def enter(self, name: Name, authorization: str) -> Grant:
        """Answer what the token of a request's header Authorization ("" for none) allows at the door ``name``.

        Raises RefusalError: 401 no token or an unknown one, 403 another door's, 503 the file cannot be used now.
        """
        file = self._files.get(name)
        if file is None:
            return _ANY
        if self.closed(name) is not None:
            raise RefusalError(503, "unavailable", "a readable token file; its place is in the exporter's log")
        token = _bearer(authorization) or (_basic(authorization) if name == "read" else None)
        grant = file.grant(token) if token else None
        if grant is not None:
            return grant
        asked = {"WWW-Authenticate": 'Basic realm="eddie-metrics", Bearer' if name == "read" else "Bearer"}
        if token is None:
            raise RefusalError(401, "unauthorized", "a header `Authorization: Bearer <token>`", "none", asked)
        if any(other.grant(token) for other in self._files.values()):
            raise RefusalError(403, "forbidden", f"a token of the door `{name}`", "a token of another door")
        raise RefusalError(401, "unauthorized", "a token of the token file", "an unknown one", asked)

    async def read(self, request: Request) -> None:
        """Guard a route that reads, as a FastAPI dependency."""
        self.enter("read", request.headers.get("authorization", ""))

    async def alerts(self, request: Request) -> None:
        """Guard the inbox, as a FastAPI dependency."""
        self.enter("alerts", request.headers.get("authorization", ""))
