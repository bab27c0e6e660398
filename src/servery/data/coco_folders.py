"""Folders as COCO lays them out: one JSON file that tells of pictures, boxes and labels, and the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from servery.data.dataset import BadRow
from servery.data.parts import join_parts, part_of
from servery.data.picture_folders import read_picture_file
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.errors import DataError, EmptyDataError

NAMES = ("annotations.json", "_annotations.coco.json", "instances.json")
MOST_BYTES = 512 * 2**20


def read_with_coco(path: Path) -> RawTable:
    """Read a COCO folder, or a folder of them (train, validation, test); anything else as rows or pictures.

    Raises:
        DataError: The file is missing, empty, torn or of another format.
    """
    if not path.is_dir():
        return read_raw(path)
    if annotations_of(path) is not None:
        return read_coco(path)
    folders = {part_of(entry.name): entry for entry in sorted(path.iterdir()) if entry.is_dir()}
    parts = {p: entry for p, entry in folders.items() if p is not None and annotations_of(entry) is not None}
    return join_parts({part: read_coco(entry) for part, entry in parts.items()}) if parts else read_raw(path)


def annotations_of(folder: Path) -> Path | None:
    """Return the file of a COCO folder that tells of its pictures, or None where there is none."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read_coco(folder: Path) -> RawTable:
    """Read one COCO folder: a row a picture with `image`, `boxes`, `file_name` and `image_id`.

    Crowds are left out: their boxes are around many things.

    Raises:
        DataError: The JSON is torn or lacks images, annotations or categories.
        EmptyDataError: None of its pictures can be read.
    """
    told = read_annotations(folder)
    names = {entry["id"]: str(entry["name"]) for entry in told["categories"]}
    boxes: dict[Any, list[dict[str, Any]]] = {}
    for entry in told["annotations"]:
        if not entry.get("iscrowd"):
            boxes.setdefault(entry["image_id"], []).append(_box(entry, names))
    rows, bad_rows = [], []
    for line, entry in enumerate(told["images"], 1):
        content = read_picture_file(folder, _found(folder, str(entry["file_name"])))
        if isinstance(content, str):
            bad_rows.append(BadRow(line, f"{entry['file_name']}: {content}"))
        else:
            found = orjson.dumps(boxes.get(entry["id"], [])).decode()
            rows.append((line, content, found, str(entry["file_name"]), entry["id"]))
    if not rows:
        first = f" {bad_rows[0].reason}." if bad_rows else ""
        raise EmptyDataError(f"None of the {len(told['images'])} pictures of {folder} can be read.{first}")
    lines, *columns = zip(*rows, strict=True)
    values = dict(zip(("image", "boxes", "file_name", "image_id"), map(object_array, columns), strict=True))
    return RawTable(values, np.array(lines, np.int64), tuple(bad_rows), {"format": "COCO"})


def read_annotations(folder: Path) -> dict[str, Any]:
    """Return what the JSON file of a COCO folder holds: images, annotations and categories.

    Raises:
        DataError: There is none, or it is torn or too large.
    """
    path = annotations_of(folder)
    if path is None:
        raise DataError(f"{folder} holds none of {', '.join(NAMES)}.", param="data")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path} is larger than {MOST_BYTES // 2**20} MiB.", param="data")
    try:
        told = orjson.loads(path.read_bytes())
        faults = list(_faults(told))
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.", param="data") from error
    if faults:
        raise DataError(f"{path} is not as COCO writes it: {faults[0]}.", param="data")
    return told  # type: ignore[no-any-return]


def _faults(told: Any) -> Iterator[str]:
    wanted = {
        "images": {"id", "file_name"},
        "annotations": {"image_id", "category_id", "bbox"},
        "categories": {"id", "name"},
    }
    for name, keys in wanted.items():
        entries = told.get(name) if isinstance(told, dict) else None
        if not isinstance(entries, list):
            yield f"it has no list {name!r}"
            return
        for entry in entries:
            if not isinstance(entry, dict) or not entry.keys() >= keys:
                yield f"an entry of {name!r} lacks one of {', '.join(sorted(keys))}: {entry!r:.100}"
    known = {entry["id"] for entry in told["categories"]}
    for entry in told["annotations"]:
        box = entry["bbox"]
        if not (isinstance(box, list) and len(box) == 4 and all(isinstance(n, int | float) for n in box)):
            yield f"a bbox is no list of four numbers: {box!r:.100}"
        if entry["category_id"] not in known:
            yield f"an annotation is of the category {entry['category_id']!r}, which is not listed"


def _box(entry: dict[str, Any], names: dict[Any, str]) -> dict[str, Any]:
    left, top, width, height = entry["bbox"]
    edges = {"xmin": left, "ymin": top, "xmax": left + width, "ymax": top + height}
    return {"label": names[entry["category_id"]], **edges}


def _found(folder: Path, name: str) -> str:
    """Return where a picture is: beside the JSON file or in a folder `images` there."""
    within = f"images/{name}"
    return within if not (folder / name).is_file() and (folder / within).is_file() else name
