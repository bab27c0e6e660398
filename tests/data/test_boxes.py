"""Cells of boxes, what the checks say of them, and folders as COCO lays them out."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from servery.data.boxes import check_boxes, picture_sizes, things_of
from servery.data.building import build_dataset
from servery.data.checks import check
from servery.data.coco_folders import read_with_coco
from servery.data.dataset import Dataset
from servery.data.pictures import size_of
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError, EmptyDataError

CAT = {"label": "cat", "xmin": 1, "ymin": 2, "xmax": 7, "ymax": 9}


def picture(width: int = 20, height: int = 10, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, height), 128).save(stream, "PNG", **options)
    return stream.getvalue()


def dataset_of(*cells: Any) -> Dataset:
    raw = RawTable(
        {
            "image": object_array([picture(20 + row, 10) for row in range(len(cells))]),
            "boxes": object_array([cell if isinstance(cell, str) else json.dumps(cell) for cell in cells]),
        },
        np.arange(1, len(cells) + 1),
    )
    return build_dataset(raw, "by-hand", target="boxes", kinds={"image": "image", "boxes": "boxes"})


@pytest.mark.parametrize(
    "cell",
    [
        {"label": "cat"},
        [{"label": "cat", "xmin": 1}],
        [[1, 2, 3, 4]],
        [{**CAT, "xmax": "7"}],
        [{**CAT, "xmax": float("nan")}],
        [{**CAT, "label": " "}],
        None,
    ],
)
def test_what_is_no_box_is_told(cell: Any) -> None:
    with pytest.raises(ValueError, match="box"):
        things_of(cell)


def test_a_box_may_carry_more_than_is_read() -> None:
    assert things_of([{**CAT, "occluded": True}])[0].box == (1.0, 2.0, 7.0, 9.0)


def test_the_checks_tell_of_swapped_outlying_empty_and_torn_boxes() -> None:
    dataset = dataset_of(
        [CAT],
        [{**CAT, "xmin": 7, "xmax": 1}],
        [CAT, {**CAT, "xmax": 99}],
        [{**CAT, "xmax": 1}],
        [],
        [{"label": "cat"}],
    )
    found = {finding.code: finding for finding in check_boxes(dataset)}
    assert {code: finding.lines for code, finding in found.items()} == {
        "torn_boxes": (6,),
        "inverted_boxes": (2,),
        "boxes_outside": (3, 4),
        "nothing_shown": (5,),
    }
    assert found["torn_boxes"].severity == "error"
    assert found["boxes_outside"].message.startswith("2 pictures have boxes beyond the picture's edge")
    assert {"torn_boxes", "inverted_boxes"} <= {finding.code for finding in check(dataset)}
    assert not check_boxes(dataset_of([CAT], [CAT]))


def test_sizes_are_those_of_the_picture_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert size_of(picture()) == (20, 10)
    assert size_of(picture(exif=exif)) == (10, 20)
    assert picture_sizes(dataset_of([CAT], [CAT])) == [(20, 10), (21, 10)]
    with pytest.raises(ValueError, match="picture"):
        size_of(b"none")


def coco(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(picture())
    told = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "b.png"}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 6, 7]},
            {"id": 2, "image_id": 7, "category_id": 5, "bbox": [0, 0, 9.5, 3], "iscrowd": 1},
        ],
        **changes,
    }
    (folder / "annotations.json").write_text(json.dumps(told))
    return folder


def test_a_coco_folder_is_read_with_its_boxes_and_without_its_crowds(tmp_path: Path) -> None:
    table = read_with_coco(coco(tmp_path))
    assert [json.loads(cell) for cell in table.values["boxes"]] == [[CAT], []]
    assert table.values["image_id"].tolist() == [7, 9]
    assert table.values["image"][0] == picture()


def test_coco_folders_of_parts_are_joined(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        coco(tmp_path / part)
    table = read_with_coco(tmp_path)
    assert sorted(table.values["part"]) == ["test"] * 2 + ["train"] * 2 + ["validation"] * 2


def test_pictures_may_lie_in_a_folder_images_and_missing_ones_are_set_aside(tmp_path: Path) -> None:
    coco(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "images" / "a.png")
    (tmp_path / "b.png").unlink()
    table = read_with_coco(tmp_path)
    assert len(table) == 1
    assert table.bad_rows[0].line == 2
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(EmptyDataError, match="None of the 2 pictures"):
        read_with_coco(tmp_path)


def test_a_picture_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture())
    folder = coco(tmp_path / "inner", images=[{"id": 7, "file_name": "../secret.png"}])
    with pytest.raises(EmptyDataError, match="outside the folder"):
        read_with_coco(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"categories": None}, "no list 'categories'"),
        ({"images": [{"id": 1}]}, "lacks one of file_name, id"),
        ({"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3]}]}, "four numbers"),
        ({"annotations": [{"image_id": 7, "category_id": 4, "bbox": [1, 2, 3, 4]}]}, "category 4"),
    ],
)
def test_torn_annotations_are_told(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_with_coco(coco(tmp_path, **changes))


def test_annotations_that_are_no_json_are_told(tmp_path: Path) -> None:
    (coco(tmp_path) / "annotations.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read_with_coco(tmp_path)


def test_other_files_are_read_as_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"boxes": [CAT]}) + "\n")
    assert json.loads(read_with_coco(path).values["boxes"][0]) == [CAT]
