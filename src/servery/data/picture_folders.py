"""A folder of pictures: one subfolder a label, below the parts if there are any, or a metadata.csv beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from servery.data.dataset import BadRow
from servery.data.delimited_files import read_delimited
from servery.data.parts import join_parts, part_of
from servery.data.pictures import ENDINGS, MAX_PICTURE_BYTES
from servery.data.raw_table import MAX_TABLE_BYTES, RawTable, object_array
from servery.errors import ColumnNotFoundError, DataError, EmptyDataError


def read_picture_folder(root: Path) -> RawTable:
    """Read the pictures below a folder into the columns `image`, `label` and `file_name`.

    With a `metadata.csv` its columns stand in place of `label`; with subfolders train/validation/test there is
    a column `part`. A row's line number is its line in metadata.csv, else its position in the order of names.

    Raises:
        EmptyDataError: There is no picture.
        DataError: The pictures together are larger than the bound.
    """
    tables = {part: _read_part(folder) for folder in _folders(root) if (part := _part(folder))}
    table = join_parts(tables) if tables else _read_part(root)
    if not len(table):
        bad = (
            f" {len(table.bad_rows):,} files could not be read: {table.bad_rows[0]}" if table.bad_rows else ""
        )
        raise EmptyDataError(
            f"There is no picture below {root}.{bad}",
            hint="lay them out as <folder>/<label>/<picture>.png, or add a metadata.csv with file_name and label",
        )
    return table


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _part(folder: Path) -> str | None:
    # A folder "test" that holds pictures itself is a label.
    return part_of(folder.name) if _folders(folder) or (folder / "metadata.csv").is_file() else None


def _read_part(root: Path) -> RawTable:
    metadata = root / "metadata.csv"
    return _read_by_metadata(root, metadata) if metadata.is_file() else _read_by_label(root)


def _read_by_metadata(root: Path, metadata: Path) -> RawTable:
    table = read_delimited(metadata)
    if "file_name" not in table.values:
        raise ColumnNotFoundError(
            f"{metadata} has no column 'file_name', only {', '.join(table.values)}.",
            hint="name the column with the pictures' paths file_name",
        )
    names = [str(name or "") for name in table.values["file_name"]]
    pictures, bad_rows = _read_files(root, names, table.line_numbers)
    kept = np.array([picture is not None for picture in pictures], dtype=bool)
    values = {"image": object_array(pictures)[kept]} | {
        n: v[kept] for n, v in table.values.items() if n != "image"
    }
    return RawTable(
        values, table.line_numbers[kept], (*table.bad_rows, *bad_rows), {"format": "metadata.csv"}
    )


def _read_by_label(root: Path) -> RawTable:
    found = list(_labelled(root))
    line_numbers = np.arange(1, len(found) + 1, dtype=np.int64)
    pictures, bad_rows = _read_files(root, [name for _, name in found], line_numbers)
    kept = np.array([picture is not None for picture in pictures], dtype=bool)
    values = {
        "image": object_array(pictures)[kept],
        "label": object_array([label for label, _ in found])[kept],
        "file_name": object_array([name for _, name in found])[kept],
    }
    return RawTable(values, line_numbers[kept], tuple(bad_rows), {"format": "a subfolder a label"})


def _labelled(root: Path) -> Iterator[tuple[str, str]]:
    for folder in _folders(root):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.name.startswith(".") and file.name != "Thumbs.db":
                yield folder.name, file.relative_to(root).as_posix()


def _read_files(root: Path, names: list[str], lines: np.ndarray) -> tuple[list[bytes | None], list[BadRow]]:
    pictures: list[bytes | None] = []
    bad_rows: list[BadRow] = []
    total = 0
    for name, line in zip(names, lines.tolist(), strict=True):
        content = read_picture_file(root, name)
        if isinstance(content, str):
            bad_rows.append(BadRow(line, f"{name}: {content}"))
            pictures.append(None)
            continue
        total += len(content)
        if total > MAX_TABLE_BYTES:
            raise DataError(
                f"The pictures below {root} are larger than {MAX_TABLE_BYTES / 2**30:g} GiB together."
            )
        pictures.append(content)
    return pictures, bad_rows


def read_picture_file(root: Path, name: str) -> bytes | str:
    """Return the bytes of a picture below a folder, or why there are none."""
    file = (root / name).resolve()
    if not file.is_relative_to(root.resolve()):
        return "outside the folder"
    if file.suffix.lower() not in ENDINGS:
        return "no picture file"
    try:
        if file.stat().st_size > MAX_PICTURE_BYTES:
            return f"larger than {MAX_PICTURE_BYTES // 2**20} MiB"
        return file.read_bytes()
    except OSError as error:
        return error.strerror or "cannot be read"
