"""The folders of the jobs: the rows that came in, and the results as far as they count."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from servery.errors import InputError, StorageError
from servery.storage.files import make_folder, sync_folder, writing

RESULTS = "results.jsonl"
MOST_PAGE_BYTES = 32 * 2**20
ABANDONED_SECONDS = 3600.0
"""How old a folder without a job must be before it is removed: until then its upload may be under way."""


class JobFiles:
    """Where the jobs of one house keep their files; only its owner may look inside.

    A job's folder has a name made here, so that nothing a caller chooses becomes a path.

    Args:
        folder: Of all jobs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stage(self) -> str:
        """Make a folder for a job to be, and return its token.

        Raises:
            StorageError: Disk full, no permission ...
        """
        token = secrets.token_hex(16)
        with writing(self._folder):
            make_folder(self._folder)
            self._folder.chmod(0o700)
            (self._folder / token).mkdir(mode=0o700)
            sync_folder(self._folder)
        return token

    def input(self, token: str, input_format: str) -> Path:
        """Return where the rows of a job are."""
        return self._folder / token / f"input.{input_format}"

    def results(self, token: str) -> Path:
        """Return where the results of a job are."""
        return self._folder / token / RESULTS

    def page(self, token: str, length: int, start: int, limit: int) -> tuple[list[bytes], int]:
        """Return some lines of the results, and where the next page begins.

        Args:
            token: Whose.
            length: Bytes of the results that count.
            start: Where the page begins: 0, or what another page said.
            limit: Lines at most; there may be fewer when they are long.

        Raises:
            InputError: No line begins there.
        """
        if not length and not start:
            return [], 0
        with writing(self.results(token)), self.results(token).open("rb") as file:
            file.seek(max(start - 1, 0))
            if start > length or (start and file.read(1) != b"\n"):
                raise InputError(f"The cursor {start} is none that a page gave.", param="cursor")
            lines: list[bytes] = []
            place = start
            while place < length and len(lines) < limit and place - start < MOST_PAGE_BYTES:
                lines.append(file.readline())
                place += len(lines[-1])
        return lines, place

    def remove(self, token: str) -> None:
        """Remove everything of a job.

        Raises:
            StorageError: Something cannot be removed.
        """
        try:
            shutil.rmtree(self._folder / token)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"The files of a job cannot be removed: {error}.") from error

    def sweep(self, known: Iterable[str]) -> int:
        """Remove the folders of uploads that died; return how many."""
        if not self._folder.is_dir():
            return 0
        wanted, before, removed = set(known), time.time() - ABANDONED_SECONDS, 0
        for folder in self._folder.iterdir():
            if folder.name not in wanted and folder.stat().st_mtime < before:
                self.remove(folder.name)
                removed += 1
        return removed
