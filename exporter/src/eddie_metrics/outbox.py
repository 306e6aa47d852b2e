"""Station *event out*: events wait on a disk; what a record call put there survives ``kill -9`` of the agent.

A box is a folder of one process: ``N.seg`` are events as they came, ``N.batch`` is the sealed batch made of segment N
(while both are there, the batch counts), ``identity`` its producer and last epoch. The box is held by a lock on
``lock``; a box that nobody holds and that is not empty was left by a process that was killed: whoever shares the
outbox sends what is in it, under its own identity.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
from collections import deque
from pathlib import Path

from eddie_metrics.batch import MOST_BYTES, MOST_EVENTS, MOST_LINE, Cut, Head, Tally, new_epoch
from eddie_metrics.frames import frame, unframe, write_durably

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Outbox:
    """One box of at most ``most`` bytes. Raises BlockingIOError when another process holds it, OSError.

    It is only emptied until ``begin`` makes it take events.
    """

    def __init__(self, folder: Path, producer: str, most: int, tally: Tally) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._most = most
        self._tally = tally
        self._file = self._held = -1
        try:
            self._hold()
            self._open(producer)
        except BaseException:
            self.close()
            raise

    def _hold(self) -> None:
        self._reach()
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(self._held).st_nlink:
            raise BlockingIOError(errno.EAGAIN, "expected a box, got one that was just taken away", str(self.folder))

    def _reach(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _write(self, path: Path, content: bytes) -> None:
        """Make a file durable, also where somebody took the whole folder away under a running agent. Raises OSError."""
        try:
            write_durably(path, content)
        except FileNotFoundError:
            with self._lock:
                self._make_again()
                if self._file >= 0:
                    self._turn()  # what was written to is gone, and with it all that would be written to it
            write_durably(path, content)

    def _make_again(self) -> None:
        self._let_go()
        self._hold()

    def _open(self, producer: str) -> None:
        self.producer, self._epoch = self._identity() or (producer, 0)
        for stale in self.folder.glob("*.tmp"):
            stale.unlink()
        batches = {int(path.stem) for path in self.folder.glob("*.batch") if path.stem.isdecimal()}
        numbers = {int(path.stem) for path in self.folder.glob("*.seg") if path.stem.isdecimal()}
        for number in batches & numbers:
            self._segment(number).unlink()
        self._batches = sorted(batches)
        # (number, events): how many events a segment of an earlier process has is known when it is read.
        self._closed = deque((number, 1) for number in sorted(numbers - batches))
        self._first = self._number = max(batches | numbers, default=0) + 1
        # Events and bytes of the segment that is written to; those of all before are added up when it is closed.
        self._count = self._size = 0
        self._before = 0
        self._bytes = self._on_disk()

    def _on_disk(self) -> int:
        """Add up all but the segment that is written to."""
        written = self._segment(self._number)
        return sum(path.stat().st_size for path in self.folder.glob("*.*") if path != written)

    def begin(self) -> None:
        """Open a segment for events of this process; where that fails, let go of the box. Raises OSError."""
        try:
            self._file = os.open(self._segment(self._number), _FLAGS, 0o600)
        except OSError:
            self.close()
            raise

    def _identity(self) -> tuple[str, int] | None:
        try:
            said = json.loads((self.folder / "identity").read_bytes())
            return str(said["producer"]), int(said["epoch"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    @staticmethod
    def left(folder: Path) -> bool:
        """Whether something waits in a box."""
        return any(folder.glob("*.batch")) or any(path.stat().st_size for path in folder.glob("*.seg"))

    def _segment(self, number: int) -> Path:
        return self.folder / f"{number:012d}.seg"

    def _batch(self, number: int) -> Path:
        return self.folder / f"{number:012d}.batch"

    @property
    def taken(self) -> int:
        """Events that were ever put here by this process."""
        with self._lock:
            return self._before + self._count

    @property
    def waiting(self) -> int:
        """Events that are not cut yet."""
        with self._lock:
            return self._count + sum(count for _, count in self._closed)

    def put(self, line: bytes) -> str | None:
        """Take an event, on the agent's thread. Answer why it was not taken, "first" or "full" to be woken, None."""
        framed = frame(line)
        size = len(framed)
        if size > MOST_LINE:
            return "too-large"
        with self._lock:
            if self._bytes + self._size + size > self._most:
                return "outbox-full"
            if os.write(self._file, framed) != size:
                # A disk that is full; behind half a frame the next would be lost too.
                os.ftruncate(self._file, self._size)
                return "disk-full"
            self._count += 1
            self._size += size
            if self._count >= MOST_EVENTS or self._size >= MOST_BYTES:
                # The event is there: where no new file can be made, this one goes on.
                with contextlib.suppress(OSError):
                    self._turn()
                return "full"
            return "first" if self._count == 1 else None

    def _turn(self) -> None:
        """Close the segment that is written to, and begin the next; hold the lock. Raises OSError."""
        following = self._segment(self._number + 1)
        try:
            file = os.open(following, _FLAGS, 0o600)
        except FileNotFoundError:
            self._make_again()
            file = os.open(following, _FLAGS, 0o600)
        closed, self._file = self._file, file
        os.close(closed)
        self._closed.append((self._number, self._count))
        self._before += self._count
        self._bytes += self._size
        self._number += 1
        self._count = self._size = 0

    def cut(self) -> Cut | None:
        """Take the oldest segment; it stays on the disk until the batch made of it is there. Raises OSError."""
        while True:
            with self._lock:
                if not self._closed and self._count:
                    self._turn()
                if not self._closed:
                    return None
                number, count = self._closed[0]
            try:
                lines, torn = unframe(self._segment(number).read_bytes())
            except FileNotFoundError:  # somebody tidied up under a running agent
                lines, torn = [], count
                with self._lock:
                    self._bytes = self._on_disk()
            with self._lock:
                self._closed.popleft()
            if torn:
                self._tally.add("torn", torn)
            if lines or torn:
                return Cut(number, lines, old=number < self._first, lost=torn)
            self._remove(self._segment(number))

    def _remove(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            with self._lock:
                self._bytes -= size

    def save(self, head: Head) -> None:
        """Put the batch on the disk, through a power cut, in the place of what it was made of. Raises OSError."""
        path = self._batch(head.number)
        content = b"".join(map(frame, (head.body, *head.rest)))
        before = path.stat().st_size if path.exists() else 0
        self._write(path, content)
        with self._lock:
            self._bytes += len(content) - before
        self._remove(self._segment(head.number))

    def done(self, head: Head) -> None:
        """Let a batch go. Raises OSError."""
        self._remove(self._batch(head.number))

    def recover(self) -> Head | None:
        """Answer the batch that an earlier process had sealed; one that cannot be read is counted as torn."""
        for number in self._batches:
            path = self._batch(number)
            whole, _ = unframe(path.read_bytes())
            try:
                body, *rest = whole
                said = json.loads(body)
                lines = [json.dumps(event, separators=(",", ":")).encode("ascii") for event in said["events"]]
                identity = said["producer"], said["epoch"], said["seq"]
                return Head(number, *identity, lines, said.get("dropped", {}), rest, body, saved=True, old=True)
            except (ValueError, KeyError, TypeError):
                self._tally.add("torn")
                self._remove(path)
        return None

    def new_epoch(self) -> int:
        """Make an epoch that this box never had, and remember it. Raises OSError."""
        self._epoch = new_epoch(self._epoch)
        said = {"producer": self.producer, "epoch": self._epoch}
        self._write(self.folder / "identity", json.dumps(said).encode())
        return self._epoch

    def remove(self) -> None:
        """Let go of a box in which nothing waits, and take it away. Raises OSError."""
        try:
            for path in (*self.folder.glob("*.seg"), self.folder / "identity", self.folder / "lock"):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody keeps something of his own here, or has just begun a box
                self.folder.rmdir()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of files; what waits stays in them."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)
