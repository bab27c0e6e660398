"""One JSON line a request, for the operator: who asked which model, and how it went. Never a body, never a secret."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from servery.settings import Settings

if sys.platform != "win32":  # there one process writes, for workers need a fork
    import fcntl

if TYPE_CHECKING:
    from servery.gateway.message import Measures, Request

FLUSH_SECONDS = 0.25
"""A process that is killed loses no more lines than came in this time."""
LARGEST_FILE_BYTES = 64 * 2**20
KEPT_FILES = 4
"""Full files that stay beside the one being written: `requests.jsonl.1` is the newest of them."""
MOST_PENDING = 100_000
"""When so many lines wait for a disk that does not answer, further ones are dropped and counted."""
LINES_AT_ONCE = 128
"""After so many the thread lets others have the interpreter's lock."""
COMPLAINT_SECONDS = 60.0

log = structlog.get_logger("servery.request_log")

_Waiting = tuple[float, str, str, str, dict[str, str], "Measures", int, float]


class Line(msgspec.Struct):
    """One answered request.

    Attributes:
        time: When it was answered, UTC.
        id: As in the header x-request-id.
        key: Id of the key, never its secret; empty where nobody was recognized.
        route: The path's pattern.
        code: Of the error it was answered with, else empty.
        units: What its task counts, e.g. rows; `unit` says what.
        total_ms: From its head to the end of its answer; `queue_ms` and `compute_ms` are parts of that.
    """

    time: datetime
    id: str
    key: str
    method: str
    route: str
    model: str
    version: str
    protocol: str
    status: int
    code: str
    unit: str
    units: int
    queue_ms: float
    compute_ms: float
    total_ms: float
    bytes_in: int
    bytes_out: int


class RequestLog:
    """Collects lines on the event loop and writes them from a thread of its own.

    Several processes may write one file: each writes whole lines at its end. A file that was moved away, by us or
    by another tool, is opened anew.

    Args:
        path: Where the lines go; None for standard error.
        largest_file_bytes: From this size on it is moved aside.
        kept_files: How many of those stay.
    """

    def __init__(
        self, path: Path | None, largest_file_bytes: int = LARGEST_FILE_BYTES, kept_files: int = KEPT_FILES
    ) -> None:
        self.dropped = 0
        self._path = path
        self._largest_file_bytes = largest_file_bytes
        self._kept_files = kept_files
        self._pending: deque[_Waiting] = deque()
        self._encoder = msgspec.json.Encoder()
        self._complained_at = -COMPLAINT_SECONDS
        self._file = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="servery-request-log", daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, settings: Settings) -> RequestLog | None:
        """Return the log that the settings ask for, or None."""
        if settings.request_log is None:
            return None
        if settings.request_log == "stderr":
            return cls(None)
        is_usual = settings.request_log == "file"
        return cls(settings.home / "logs" / "requests.jsonl" if is_usual else Path(settings.request_log))

    def add(self, request: Request, status: int, seconds: float) -> None:
        """Note an answered request; costs next to nothing, the line is made and written later."""
        if len(self._pending) >= MOST_PENDING:
            self.dropped += 1
            return
        key = request.key
        self._pending.append(
            (
                time.time(),
                request.id,
                "" if key is None else key.id,
                request.scope.get("method", ""),
                request.notes,
                request.measures,
                status,
                seconds,
            )
        )

    def close(self) -> None:
        """Write what waits, and end."""
        self._stop.set()
        self._thread.join()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stop.wait(FLUSH_SECONDS)
            for lines in self._lines():
                try:
                    self._write(lines)
                except OSError as error:
                    self.dropped += lines.count(b"\n")
                    self._complain(error)
                if not is_last:
                    time.sleep(0)

    def _lines(self) -> Iterator[bytes]:
        while self._pending:
            count = min(len(self._pending), LINES_AT_ONCE)
            yield self._encoder.encode_lines([_line(*self._pending.popleft()) for _ in range(count)])

    def _write(self, lines: bytes) -> None:
        if self._path is None:
            sys.stderr.buffer.write(lines)
            sys.stderr.buffer.flush()
            return
        if not self._is_current(self._path):
            self._open(self._path)
        elif os.fstat(self._file).st_size + len(lines) > self._largest_file_bytes:
            self._rotate(self._path)
        while lines:
            lines = lines[os.write(self._file, lines) :]

    def _is_current(self, path: Path) -> bool:
        if self._file < 0:
            return False
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _open(self, path: Path) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _rotate(self, path: Path) -> None:
        # Another worker may be at the same: the lock is on the full file, and only one finds it still in its place.
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_EX)
        if self._is_current(path):
            numbered = [path.with_name(f"{path.name}.{number}") for number in range(1, self._kept_files + 1)]
            for older, newer in zip(numbered[::-1], [*numbered[-2::-1], path], strict=True):
                if newer.exists():
                    newer.replace(older)
        self._open(path)

    def _complain(self, error: OSError) -> None:
        now = time.monotonic()
        if now - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = now
            log.warning("request log cannot be written", error=error.strerror, dropped=self.dropped)


def _line(
    at: float,
    request_id: str,
    key: str,
    method: str,
    notes: dict[str, str],
    measures: Measures,
    status: int,
    seconds: float,
) -> Line:
    return Line(
        datetime.fromtimestamp(at, UTC),
        request_id,
        key,
        method,
        measures.route,
        notes.get("model", ""),
        notes.get("version", ""),
        notes.get("protocol", ""),
        status,
        measures.error_code,
        measures.unit,
        measures.units,
        round(measures.queue_seconds * 1000, 3),
        round(measures.compute_seconds * 1000, 3),
        round(seconds * 1000, 3),
        measures.bytes_in,
        measures.bytes_out,
    )
