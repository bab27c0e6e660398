"""The files of all versions: one folder an artifact, addressed by the sha256 of its manifest."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from servery.registry.artifact import refusal
from servery.registry.folder import open_plain_file, survey
from servery.storage.files import make_folder, rename_folder, writing

STAGING = ".staging"
"""Where folders are copied to, and thrown away from; on the same disk as the artifacts."""


class Store:
    """The artifacts' folders under one root. It knows nothing of names; the registry's rows do.

    Args:
        root: The folder; made where it is missing.

    Raises:
        StorageError: It cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / STAGING
        make_folder(self._staging)

    def folder(self, digest: str) -> Path:
        """Return where the artifact of that digest is, or would be."""
        return self._root / digest[:2] / digest

    @contextmanager
    def staged_copy(self, source: Path) -> Iterator[Path]:
        """Copy a folder into the staging area, for the time of a `with`; the source stays as it is.

        Raises:
            ArtifactError: The folder holds a link, a pipe, too many or too large files.
            StorageError: Disk full, no permission ...
        """
        found, problems = survey(source)
        if problems:
            raise refusal("cannot be registered", problems)
        copy = self._temporary_folder()
        try:
            with writing(copy):
                for name in found:
                    _copy(source / name, copy / name)
            yield copy
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def publish(self, staged: Path, digest: str) -> None:
        """Give a folder that is durable already its final place. Call it under the registry's write lock.

        Raises:
            StorageError: No permission, disk full ...; nothing was published, or all of it.
        """
        self.discard(digest)
        rename_folder(staged, self.folder(digest))

    def discard(self, digest: str) -> None:
        """Remove an artifact that no row needs. Call it under the registry's write lock.

        Raises:
            StorageError: No permission ...
        """
        folder = self.folder(digest)
        if os.path.lexists(folder):
            rubbish = self._temporary_folder() / digest
            # Renamed first: a kill during the removal must not leave half an artifact in its place.
            rename_folder(folder, rubbish)
            shutil.rmtree(rubbish.parent, ignore_errors=True)

    def digests(self, older_than_seconds: float) -> list[str]:
        """Return the digests of the folders that were sealed so long ago."""
        folders = (path for path in self._root.glob("[0-9a-f][0-9a-f]/*") if len(path.name) == 64)
        return [path.name for path in _older(folders, older_than_seconds)]

    def remove_leftovers(self, older_than_seconds: float) -> int:
        """Remove from the staging area what died there so long ago; return how many folders."""
        left = _older(self._staging.iterdir(), older_than_seconds)
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return len(left)

    def _temporary_folder(self) -> Path:
        folder = self._staging / secrets.token_hex(16)
        with writing(folder):
            folder.mkdir()
        return folder


def _older(paths: Iterable[Path], seconds: float) -> list[Path]:
    limit = time.time() - seconds
    old = []
    for path in paths:
        # Another process may remove it while this one looks.
        with suppress(FileNotFoundError):
            if path.lstat().st_mtime <= limit:
                old.append(path)
    return old


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_plain_file(source) as reader, target.open("xb") as writer:
            shutil.copyfileobj(reader, writer, 2**20)
    except ValueError as error:
        raise refusal("cannot be registered", [f"{source.name}: {error}"]) from error
