"""What a folder may be made of before anything in it is opened: plain files, plain names, bounded sizes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from servery.registry.contents import MAX_BYTES

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 2**20
MAX_ENTRIES = 1_000
MAX_PARTS = 4
"""Most parts of a path inside the folder, the file's name included."""
MAX_TOTAL_BYTES = 256 * 2**30

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def survey(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Return the size in bytes of every allowed file, by its path inside, and what is not allowed.

    Nothing is opened and no link is followed.
    """
    sizes: dict[str, int] = {}
    problems: list[str] = []
    try:
        for name, status in _plain_files(folder):
            problem = _name_problem(name) or _kind_problem(status) or _size_problem(name, status.st_size)
            if problem:
                problems.append(f"{name[:200]!r}: {problem}")
            else:
                sizes[name] = status.st_size
    except (OSError, ValueError) as error:
        problems.append(str(error))
    if len({name.casefold() for name in sizes}) != len(sizes):
        problems.append("two names differ by upper and lower case only")
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        problems.append(f"more than {MAX_TOTAL_BYTES:,} bytes")
    return sizes, problems


def open_plain_file(path: Path) -> BufferedReader:
    """Open a regular file that has one name only, never following a link and never waiting for a pipe.

    Raises:
        ValueError: It is something else.
        OSError: It cannot be read.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    descriptor = os.open(path, flags)
    problem = _kind_problem(os.fstat(descriptor))
    if problem:
        os.close(descriptor)
        raise ValueError(problem)
    return os.fdopen(descriptor, "rb")


def _plain_files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    # Stops early, so that a folder of millions costs no more; never follows a link.
    if folder.is_symlink() or not folder.is_dir():
        raise ValueError("it is no folder")
    waiting, entries = [""], 0
    while waiting:
        inside = waiting.pop()
        with os.scandir(folder / inside) as listing:
            for entry in listing:
                entries += 1
                if entries > MAX_ENTRIES:
                    raise ValueError(f"more than {MAX_ENTRIES:,} entries")
                name = f"{inside}/{entry.name}" if inside else entry.name
                if not entry.is_dir(follow_symlinks=False):
                    yield name, entry.stat(follow_symlinks=False)
                elif name.count("/") + 2 <= MAX_PARTS:
                    waiting.append(name)
                else:
                    raise ValueError(f"folders nested more than {MAX_PARTS - 1} deep")


def _name_problem(name: str) -> str | None:
    if not all(_PART.fullmatch(part) for part in name.split("/")):
        return "the name is not allowed"
    if Path(name).suffix not in MAX_BYTES:
        return f"only {' '.join(MAX_BYTES)} are allowed"
    return None


def _kind_problem(status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "no regular file (a link, pipe, socket or device)"
    if status.st_nlink != 1:
        return "a hard link: another name could change it"
    return None


def _size_problem(name: str, size_bytes: int) -> str | None:
    most = MAX_MANIFEST_BYTES if name == MANIFEST else MAX_BYTES[Path(name).suffix]
    return f"{size_bytes:,} bytes; at most {most:,} are allowed" if size_bytes > most else None
