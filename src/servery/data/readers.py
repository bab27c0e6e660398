"""Reads a data set from whatever a user has: a file, a folder of pictures, or a folder of parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.delimited_files import read_delimited
from servery.data.json_lines_files import read_json_lines
from servery.data.parquet_files import read_parquet
from servery.data.parts import join_parts, part_of
from servery.data.picture_folders import read_picture_folder
from servery.data.raw_table import RawTable
from servery.errors import DataError, DataNotFoundError

_READERS: dict[str, Callable[[Path], RawTable]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
}


def read(
    path: Path,
    *,
    target: str = "",
    kinds: Mapping[str, str] | None = None,
    roles: Mapping[str, str] | None = None,
    name: str = "",
) -> Dataset:
    """Read a data set.

    Args:
        path: A csv, tsv, jsonl or parquet file (the text ones also as .gz), a folder `<label>/<picture>`, a folder
            of pictures with metadata.csv, or a folder with files train.*, validation.*, test.*.
        target: The column to learn; empty takes one called like a target, if there is one.
        kinds: Column name to kind, where the inferred one would be wrong.
        roles: Column name to role, likewise.
        name: Short name for people; empty takes the file's or folder's.

    Raises:
        DataError: The file is missing, empty, of another format, or its columns do not fit what was asked.
    """
    path = Path(path)
    raw = read_raw(path)
    return build_dataset(raw, name or named_after(path), path, target=target, kinds=kinds, roles=roles)


def read_raw(path: Path) -> RawTable:
    """Read the rows of a file or folder, cells as they are.

    Raises:
        DataError: The file is missing, empty, torn or of another format.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DataNotFoundError(f"There is no file {path}.", hint=_neighbours(path), param="data")
    ending = _ending(path)
    if not ending:
        raise DataError(
            f"{path.name} is of no format that can be read.",
            hint=f"use one of {', '.join(_READERS)} (the text ones also as .gz), or a folder of pictures",
            param="data",
        )
    return _READERS[ending](path)


def read_parts(files: Mapping[str, Path], read_file: Callable[[Path], RawTable] = read_raw) -> RawTable:
    """Read files that hold one part each and join them, with a column `part`.

    Args:
        files: Part ("train", "validation", "test") to its file.
        read_file: Reads one of them.

    Raises:
        DataError: A file cannot be read, or the files differ in their columns.
    """
    return join_parts({part: read_file(file) for part, file in files.items()})


def _read_folder(folder: Path) -> RawTable:
    """Read the parts in a folder, or else its pictures."""
    tables = [file for file in sorted(folder.iterdir()) if _ending(file) and file.name != "metadata.csv"]
    parts = {part: file for file in tables if (part := part_of(named_after(file)))}
    others = [file.name for file in tables if file not in parts.values()]
    if not parts and others and not any(entry.is_dir() for entry in folder.iterdir()):
        raise DataError(
            f"{folder} holds no parts (train, validation, test) and no pictures, but {', '.join(others[:5])}.",
            hint=f"name the file: {folder / others[0]}",
            param="data",
        )
    if not parts:
        return read_picture_folder(folder)
    twice = [name for name in others if part_of(named_after(Path(name)))]
    if twice:
        raise DataError(f"{folder} has more than one file for the same part: {twice[0]} is one of them.")
    raw = read_parts(parts)
    return replace(raw, facts={**raw.facts, "left_out": ", ".join(others)}) if others else raw


def _ending(path: Path) -> str:
    """Return the ending that tells the format, empty where none does."""
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] == ".gz":
        endings.pop()
        return endings[-1] if endings and endings[-1] in _READERS and endings[-1] != ".parquet" else ""
    return endings[-1] if endings and endings[-1] in _READERS else ""


def named_after(path: Path) -> str:
    """Return a short name for people: the file's or folder's, without its endings."""
    name = path.name
    for ending in reversed(path.suffixes):
        if ending.lower() in {".gz", *_READERS}:
            name = name[: -len(ending)]
    return name


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    files = sorted(p.name for p in path.parent.iterdir() if p.is_dir() or _ending(p))
    return (
        f"in {path.parent} there are: {', '.join(files[:8])}"
        if files
        else f"{path.parent} holds no data file"
    )
