"""The one write path of files: temporary name -> fsync -> rename -> fsync of the folder.

Whoever reads sees the old state or the new one, also after a kill or a power cut; what is left half done
carries a temporary name and is removed by `remove_partials`.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from servery.errors import ConflictError, StorageError

PARTIAL_SUFFIX = ".partial"
"""Ending of a temporary name; such a file belongs to a write under way or to one that died."""


def write_atomically(path: Path, data: bytes, *, is_private: bool = False) -> None:
    """Write a file so that `path` holds either what it held before or all of `data`; durable on return.

    Args:
        path: The file; its folder must exist.
        data: The whole content.
        is_private: Whether only the owner may read it (mode 0600).

    Raises:
        StorageError: Disk full, no permission ...; `path` is as it was.
    """
    with writing(path):
        partial = _write_partial(path, data, is_private)
        try:
            os.replace(partial, path)
        except OSError:
            _remove_quietly(partial)
            raise
        sync_folder(path.parent)


def create_once(path: Path, data: bytes) -> bool:
    """Write a file readable by its owner only, unless it exists; of several processes exactly one succeeds.

    Returns:
        Whether this call made it. If not, the file that is there is complete.

    Raises:
        StorageError: Disk full, no permission ...; there is no file.
    """
    with writing(path):
        partial = _write_partial(path, data, is_private=True)
        try:
            # Unlike opening with O_EXCL, a link never shows a file that is still empty.
            os.link(partial, path)
        except FileExistsError:
            return False
        finally:
            _remove_quietly(partial)
        sync_folder(path.parent)
        return True


def publish_folder(staged: Path, final: Path) -> None:
    """Move a finished folder to its place; durable on return. Both must be on the same file system.

    Raises:
        ConflictError: `final` exists.
        StorageError: Disk full, no permission ...; `final` does not exist, or holds everything.
    """
    with writing(final):
        sync_tree(staged)
        rename_folder(staged, final)


def rename_folder(source: Path, target: Path) -> None:
    """Rename a folder whose content is durable already, and make the new name durable.

    Raises:
        ConflictError: `target` exists.
        StorageError: No permission, another file system ...
    """
    with writing(target):
        make_folder(target.parent)
        if os.path.lexists(target):
            raise ConflictError(f"There is something at {target} already.")
        os.rename(source, target)
        sync_folder(target.parent)


def make_folder(path: Path) -> None:
    """Make a folder with its parents; durable on return.

    Raises:
        StorageError: No permission, disk full ...
    """
    with writing(path):
        if path.is_dir():
            return
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Make every file and folder under `folder` durable, the insides first.

    Raises:
        OSError: The disk refused; what was written cannot be trusted and must be written again.
    """
    for current, _folders, names in os.walk(folder, topdown=False):
        for name in names:
            _sync_file(Path(current) / name)
        sync_folder(Path(current))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (not possible, and not needed, on Windows).

    Raises:
        OSError: The disk refused.
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partials(folder: Path, older_than_seconds: float = 3600.0) -> int:
    """Remove what writes that died left directly in a folder; return how many files."""
    limit = time.time() - older_than_seconds
    removed = 0
    for path in folder.glob(f".*{PARTIAL_SUFFIX}"):
        with suppress(FileNotFoundError):
            if path.lstat().st_mtime <= limit:
                path.unlink()
                removed += 1
    return removed


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's errors of a write into one that says what to do.

    Raises:
        StorageError: In place of every OSError inside.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror or error}.", hint=_hint(error)) from error


def _hint(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free some space on this disk (or raise the file limit of this user) and repeat."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Give this user the right to write there, or set SERVERY_HOME to another folder."
    if error.errno == errno.EXDEV:
        return "Stage the folder on the same disk as its final place."
    return "Look at the disk's health and repeat; nothing was changed."


def _write_partial(path: Path, data: bytes, is_private: bool) -> Path:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL_SUFFIX}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        _remove_quietly(partial)
        raise
    return partial


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_quietly(path: Path) -> None:
    # Failing to tidy up must not hide why the write failed; `remove_partials` tries again later.
    with suppress(OSError):
        path.unlink()
