"""Reads recordings from whatever a user has: folders named by their labels, or a table that names their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from servery.data.audio import ENDINGS
from servery.data.dataset import BadRow
from servery.data.parts import join_parts, part_of
from servery.data.raw_table import MAX_TABLE_BYTES, RawTable, object_array
from servery.data.readers import read_raw
from servery.errors import DataError, EmptyDataError

MAX_RECORDING_BYTES = 64 * 2**20
COLUMN = "audio"


def read_recordings(path: Path) -> RawTable:
    """Read recordings and what is known of them.

    Args:
        path: A folder `<label>/<recording>.wav`, also below train/validation/test; a csv, tsv or jsonl file with a
            column of file names, relative to where it stands; such a file named metadata.* in a folder; or a
            parquet file with the recordings themselves.

    Raises:
        EmptyDataError: There is no recording.
        DataError: As `read_raw`; or the recordings together are larger than the bound.
    """
    if not path.is_dir():
        return _with_recordings(read_raw(path), path.parent)
    metadata = next((file for file in sorted(path.glob("metadata.*")) if file.is_file()), None)
    if metadata is not None:
        return _with_recordings(read_raw(metadata), path)
    if any(file.suffix.lower() in ENDINGS for file in path.rglob("*")):
        return _read_folders(path)
    return _with_recordings(read_raw(path), path)


def _read_folders(root: Path) -> RawTable:
    parts = {part: folder for folder in _folders(root) if (part := part_of(folder.name)) and _folders(folder)}
    return (
        join_parts({part: _labelled(f) for part, f in parts.items()}) if "train" in parts else _labelled(root)
    )


def _labelled(root: Path) -> RawTable:
    found = [(folder.name, file.relative_to(root).as_posix()) for folder, file in _files(root)]
    if not found:
        raise EmptyDataError(
            f"There is no recording in a folder below {root}.",
            hint="lay them out as <folder>/<label>/<recording>.wav, or add a metadata.csv with file_name and text",
        )
    table = RawTable(
        {
            "label": object_array([label for label, _ in found]),
            "file_name": object_array([name for _, name in found]),
        },
        np.arange(1, len(found) + 1, dtype=np.int64),
        facts={"format": "a subfolder a label"},
    )
    return _with_recordings(table, root)


def _files(root: Path) -> Iterator[tuple[Path, Path]]:
    for folder in _folders(root):
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() in ENDINGS and not file.name.startswith("."):
                yield folder, file


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _with_recordings(table: RawTable, root: Path) -> RawTable:
    """Return the table with the files that a column names as the column `audio`; as it is where none does."""
    name = next((name for name, cells in table.values.items() if _names_recordings(cells)), None)
    if name is None:
        return table
    contents: list[bytes | None] = []
    bad_rows: list[BadRow] = []
    total = 0
    for cell, line in zip(table.values[name], table.line_numbers.tolist(), strict=True):
        content = _read_file(root, str(cell or ""))
        if isinstance(content, str):
            bad_rows.append(BadRow(line, f"{cell}: {content}"))
        total += len(content) if isinstance(content, bytes) else 0
        if total > MAX_TABLE_BYTES:
            raise DataError(
                f"The recordings below {root} are larger than {MAX_TABLE_BYTES / 2**30:g} GiB together."
            )
        contents.append(content if isinstance(content, bytes) else None)
    kept = np.array([content is not None for content in contents], dtype=bool)
    if not kept.any():
        raise EmptyDataError(
            f"None of the files that {name!r} names can be read, first: {bad_rows[0].reason}."
        )
    values = {COLUMN: object_array(contents)[kept]} | {
        other if other != COLUMN else "file_name": cells[kept] for other, cells in table.values.items()
    }
    return replace(
        table,
        values=values,
        line_numbers=table.line_numbers[kept],
        bad_rows=(*table.bad_rows, *bad_rows),
    )


def _names_recordings(cells: np.ndarray) -> bool:
    texts = [cell for cell in cells[:100] if isinstance(cell, str)]
    named = [text for text in texts if Path(text).suffix.lower() in ENDINGS]
    # A spoken text may end like a file once; a column of files does so nearly always.
    return bool(texts) and len(named) >= 0.9 * len(texts)


def _read_file(root: Path, name: str) -> bytes | str:
    """Return a recording's bytes, or why there are none."""
    file = (root / name).resolve()
    if not file.is_relative_to(root.resolve()):
        return "outside the folder"
    try:
        if file.stat().st_size > MAX_RECORDING_BYTES:
            return f"larger than {MAX_RECORDING_BYTES // 2**20} MiB"
        return file.read_bytes()
    except OSError as error:
        return error.strerror or "cannot be read"
