"""A file that only grows, of which a known length survives a kill: append, sync, note the length, go on from there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from servery.errors import ConflictError, StorageError
from servery.storage.files import make_folder, sync_folder, writing

if sys.platform != "win32":  # which has no such lock: there it is on the user not to run one thing twice
    import fcntl


class AppendedFile:
    r"""An open file that one process at a time appends to.

    The caller keeps the length that `sync` returns somewhere durable, together with how far its work has come, and
    hands it back when it opens the file again. What was appended after that length is cut off: it belongs to work
    that will be done again. So nothing is in the file twice, and nothing that was noted is missing.

    Attributes:
        length: Bytes that were appended in whole, durable or not.

    Args:
        path: The file, made (readable by its owner only) where it is not there yet.
        length: Bytes of it that count.

    Raises:
        ConflictError: Another process has it open.
        StorageError: It is shorter than `length`, or cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "answers.jsonl"
    ...     with AppendedFile(path) as file:
    ...         file.append(b"one\n")
    ...         noted = file.sync()
    ...         file.append(b"tor")
    ...     with AppendedFile(path, noted) as file:
    ...         file.append(b"two\n")
    ...     path.read_bytes()
    b'one\ntwo\n'
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        self.path = path
        with writing(path):
            make_folder(path.parent)
            is_new = not path.exists()
            # A file object rather than its number: when nobody holds it any more, it lets go of the lock.
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
            try:
                self._lock()
                self._cut(length)
                if is_new:
                    sync_folder(path.parent)
            except BaseException:
                self._file.close()
                raise
        self.length = length

    def __enter__(self) -> AppendedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, data: bytes) -> None:
        """Write behind what is there; it counts only after the next `sync`.

        Raises:
            StorageError: Disk full ...; the file ends with a part of `data`, which the next opening cuts off.
        """
        with writing(self.path):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
        self.length += len(data)

    def sync(self) -> int:
        """Make all of it durable, and return its length in bytes.

        Raises:
            StorageError: The disk refused.
        """
        with writing(self.path):
            os.fsync(self._file.fileno())
        return self.length

    def close(self) -> None:
        """Let go of the file, and of its lock."""
        self._file.close()

    def _lock(self) -> None:
        if sys.platform == "win32":
            return
        try:
            # The kernel drops it when the process ends, also by kill -9.
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"Another process is writing {self.path}.", hint="Wait for it, or name another file."
            ) from error

    def _cut(self, length: int) -> None:
        there = os.fstat(self._file.fileno()).st_size
        if there < length:
            raise StorageError(
                f"{self.path} has {there:,} bytes, but {length:,} were written: something cut or replaced it.",
                hint=f"Start over: remove {self.path.name}.",
            )
        self._file.truncate(length)
        self._file.seek(length)
