"""Reading parquet files and folders of pictures, with the pictures that nobody can decode."""

from __future__ import annotations

import io
import struct
import zlib
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from servery.data.columns import Kind, Role
from servery.data.pictures import fault_of
from servery.data.readers import read
from servery.errors import EmptyDataError


def png(seed: int, side: int = 12) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def png_of_claimed_size(width: int, height: int) -> bytes:
    """Return a tiny file whose header says that it holds a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"IDAT" + zlib.compress(b"\x00")
    chunks = [chunk, data, b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks
    )


def lay_out(root: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(number))


def test_parquet_keeps_the_types_of_its_columns(tmp_path: Path) -> None:
    rows = 30
    table = pa.table(
        {
            "when": [datetime(2024, 1, 1 + i % 28) for i in range(rows)],
            "amount": pa.array([None if i == 4 else i * 1.5 for i in range(rows)]),
            "colour": pa.array(["red" if i % 2 else "blue" for i in range(rows)]).dictionary_encode(),
            "picture": pa.array(
                [{"bytes": png(i), "path": "x"} for i in range(rows)],
                type=pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
            ),
            "label": ["a" if i % 3 else "b" for i in range(rows)],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    dataset = read(tmp_path / "x.parquet", target="label")
    kinds = {c.name: c.kind for c in dataset.columns}
    assert kinds == {
        "when": Kind.TIME,
        "amount": Kind.NUMBER,
        "colour": Kind.CATEGORY,
        "picture": Kind.IMAGE,
        "label": Kind.CATEGORY,
    }
    assert [c.name for c in dataset.inputs] == ["picture"]
    assert np.isnan(dataset["amount"][4])
    assert dataset["when"].dtype == "datetime64[ns]"
    assert dataset.line_numbers[0] == 1


def test_an_empty_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], type=pa.int64())}), tmp_path / "x.parquet")
    with pytest.raises(EmptyDataError):
        read(tmp_path / "x.parquet")


def test_a_folder_with_a_subfolder_a_label(tmp_path: Path) -> None:
    lay_out(tmp_path, ["cat/1.png", "cat/2.png", "dog/1.png", "dog/deep/2.png"])
    (tmp_path / "cat" / "notes.txt").write_text("not a picture")
    (tmp_path / "cat" / ".hidden").write_text("nobody asks")
    dataset = read(tmp_path)
    assert list(dataset["label"]) == ["cat", "cat", "dog", "dog"]
    assert dataset.target.name == "label"
    assert [c.name for c in dataset.inputs] == ["image"]
    assert [bad.reason for bad in dataset.bad_rows] == ["cat/notes.txt: no picture file"]


def test_a_folder_with_parts_above_the_labels(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        [f"{part}/{label}/{i}.png" for part in ("train", "val", "test") for label in "ab" for i in "12"],
    )
    dataset = read(tmp_path, target="label")
    assert sorted(set(dataset["part"])) == ["test", "train", "validation"]
    assert next(c for c in dataset.columns if c.name == "part").role is Role.PART


def test_a_label_called_test_is_a_label_when_it_holds_pictures(tmp_path: Path) -> None:
    lay_out(tmp_path, ["test/1.png", "control/1.png"])
    assert set(read(tmp_path)["label"]) == {"test", "control"}


def test_a_folder_with_metadata(tmp_path: Path) -> None:
    lay_out(tmp_path, ["pictures/1.png", "pictures/2.png"])
    outside = tmp_path.parent / "secret.png"
    outside.write_bytes(png(9))
    rows = "file_name,label\npictures/1.png,a\npictures/missing.png,a\n../secret.png,b\npictures/2.png,b\n"
    (tmp_path / "metadata.csv").write_text(rows)
    dataset = read(tmp_path, target="label")
    assert dataset.line_numbers.tolist() == [2, 5]
    assert [(bad.line, bad.reason.split(": ")[1]) for bad in dataset.bad_rows] == [
        (3, "No such file or directory"),
        (4, "outside the folder"),
    ]


def test_a_folder_without_pictures_says_how_to_lay_them_out(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyDataError) as caught:
        read(tmp_path)
    assert "<label>" in (caught.value.hint or "")


def test_unreadable_pictures_become_bad_rows(tmp_path: Path) -> None:
    lay_out(tmp_path, ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png", "dog/3.png"])
    (tmp_path / "cat" / "2.png").write_bytes(png(1, 64)[:200])
    (tmp_path / "dog" / "2.png").write_bytes(png_of_claimed_size(100_000, 100_000))
    (tmp_path / "dog" / "3.png").write_bytes(b"GIF89a nonsense")
    dataset = read(tmp_path)
    assert len(dataset) == 2
    assert [bad.line for bad in dataset.bad_rows] == [2, 4, 5]
    assert "torn" in dataset.bad_rows[0].reason
    assert "cat/2.png" in dataset.bad_rows[0].reason
    assert "pixels" in dataset.bad_rows[1].reason


@pytest.mark.parametrize("size", [(100_000, 100_000), (12_000, 12_000), (6_000, 6_000)])
def test_a_picture_too_large_is_refused_by_its_header(size: tuple[int, int]) -> None:
    assert "pixels" in (fault_of(png_of_claimed_size(*size)) or "")


def test_a_truncated_jpeg_is_found_out() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG")
    assert fault_of(stream.getvalue()) is None
    assert "torn" in (fault_of(stream.getvalue()[:2000]) or "")
