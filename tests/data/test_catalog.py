"""Known data sets: found by name, read with all their parts, their terms kept."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from servery.data.catalog import KnownDataset, read_known
from servery.data.columns import Kind, Role
from servery.errors import DataError

KNOWN = KnownDataset(
    name="moods",
    folder="sentiment/moods",
    files={"train": "train.csv.gz", "test": "test.csv.gz"},
    target="mood",
    kinds={"mood": "labels"},
    ignored=("note",),
    license="CC0",
    citation="Nobody 2024",
)


def lay_out(root: Path) -> None:
    folder = root / KNOWN.folder
    folder.mkdir(parents=True)
    for part, rows in (("train", 30), ("test", 10)):
        body = "".join(f'a day of number {i} in the {part} part,"joy,calm",{i}.5\n' for i in range(rows))
        (folder / f"{part}.csv.gz").write_bytes(gzip.compress(f"text,mood,note\n{body}".encode()))


def test_a_known_data_set_is_read_with_its_parts_kinds_and_terms(tmp_path: Path) -> None:
    lay_out(tmp_path)
    assert KNOWN.is_at(tmp_path)
    dataset = read_known(KNOWN, tmp_path)
    columns = {c.name: c for c in dataset.columns}
    assert len(dataset) == 40
    assert list(dataset["part"]) == ["train"] * 30 + ["test"] * 10
    assert columns["part"].role is Role.PART
    assert columns["mood"].kind is Kind.LABELS
    assert columns["note"].role is Role.IGNORED
    assert dataset["mood"][0] == ("calm", "joy")
    assert dataset.source.name == "moods"
    assert dataset.source.facts["license"] == "CC0"
    assert dataset.source.facts["citation"] == "Nobody 2024"
    assert dataset.line_numbers[30] == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / KNOWN.folder / "test.csv.gz").unlink()
    assert not KNOWN.is_at(tmp_path)
    with pytest.raises(DataError, match=r"lacks test\.csv\.gz"):
        read_known(KNOWN, tmp_path)


def test_parts_with_different_columns_are_refused(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / KNOWN.folder / "test.csv.gz").write_bytes(gzip.compress(b"text,feeling,note\na,b,1\n"))
    with pytest.raises(DataError, match="differ in the columns feeling, mood"):
        read_known(KNOWN, tmp_path)
