"""Pictures from npz files: tiles as they are, drawings as ink."""

import io

import numpy as np
import pytest
from PIL import Image

from servery.data.catalog import KnownDataset, read_known
from servery.data.tile_archives import STROKE_SIDE, drawn, read_strokes, read_tiles
from servery.errors import DataError

CROSS = np.array([[0, 10, 0], [20, 0, 1], [-10, -10, 0], [0, 20, 1]], np.int16)
LINE = np.array([[5, 5, 0], [300, 0, 1]], np.int16)


@pytest.fixture
def tiles(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 4), dtype=np.uint8)
    np.savez(
        tmp_path / "tiles.npz",
        images=images,
        category=np.array(["a", "a", "b/c", "b/c"]),
        name=np.array(["w", "x", "y", "z"]),
        test=np.array([False, True, False, True]),
    )
    return tmp_path / "tiles.npz", images


@pytest.fixture
def strokes(tmp_path):
    arrays = {}
    for part in ("train", "valid", "test"):
        arrays[f"{part}_points"] = np.concatenate([CROSS, LINE])
        arrays[f"{part}_offsets"] = np.array([0, len(CROSS), len(CROSS) + len(LINE)], np.int32)
    np.savez(tmp_path / "strokes.npz", **arrays)
    return tmp_path / "strokes.npz"


def test_tiles_come_as_pngs_with_their_parts(tiles):
    path, images = tiles
    table = read_tiles(path)
    assert table.values["part"].tolist() == ["train", "test"] * 2
    read = np.stack([np.asarray(Image.open(io.BytesIO(c))) for c in table.values["image"]])
    assert np.array_equal(read, images)


def test_one_file_may_hold_every_part_of_a_known_data_set(tiles):
    path, _ = tiles
    known = KnownDataset(
        name="t",
        folder=".",
        files={"train": path.name, "test": path.name},
        target="image",
        kinds={"category": "text", "image": "image"},
        ignored=("name",),
        read=read_tiles,
    )
    dataset = read_known(known, path.parent)
    assert len(dataset) == 4
    assert [column.name for column in dataset.inputs] == ["category"]


def test_drawings_are_counted_by_their_strokes(strokes):
    table = read_strokes(strokes)
    assert table.values["category"].tolist() == ["2 strokes", "1 stroke"] * 3
    assert table.values["part"].tolist() == ["train", "train", "validation", "validation", "test", "test"]


def test_a_drawing_is_dark_ink_in_the_middle_of_white():
    ink = 255.0 - drawn(CROSS)
    assert ink.shape == (STROKE_SIDE, STROKE_SIDE)
    assert ink[0].max() == ink[:, 0].max() == 0
    assert ink.max() > 200
    rows, columns = np.nonzero(ink)
    assert abs(rows.mean() - columns.mean()) < 1
    # A long line across fills the width and leaves the rest white.
    line = 255.0 - drawn(LINE)
    assert (line.max(axis=0)[3:-3] > 100).all()
    assert (line.max(axis=1) > 0).sum() <= 4


def test_a_file_without_its_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((1, 2, 2, 4), np.uint8))
    for content in (b"no zip", (tmp_path / "x.npz").read_bytes()):
        (tmp_path / "y.npz").write_bytes(content)
        with pytest.raises(DataError, match="category"):
            read_tiles(tmp_path / "y.npz")
