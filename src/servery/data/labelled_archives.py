"""Data sets of grey pictures with a label each, kept as arrays of three parts in one npz file, as MedMNIST has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from servery.data.pixels import png_of
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError

_PARTS = {"train": "train", "val": "validation", "test": "test"}


def labelled_pictures(names: Sequence[str]) -> Callable[[Path], RawTable]:
    """Return a reader of arrays `<part>_images` uint8 (rows, height, width) and `<part>_labels` (rows, 1).

    Args:
        names: What each label means, in the order of their numbers.

    Returns:
        Reads a file as the columns `image` (PNG), `label` and `part`.
    """

    def read(path: Path) -> RawTable:
        cells: dict[str, list[object]] = {"image": [], "label": [], "part": []}
        for spoken, part in _PARTS.items():
            images, labels = _arrays(path, spoken)
            cells["image"] += [png_of(image[None]) for image in images]
            cells["label"] += [names[label] for label in labels.ravel().tolist()]
            cells["part"] += [part] * len(images)
        values = {name: object_array(column) for name, column in cells.items()}
        return RawTable(
            values, np.arange(1, len(values["image"]) + 1, dtype=np.int64), facts={"format": "npz"}
        )

    return read


def _arrays(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive[f"{part}_images"], archive[f"{part}_labels"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path.name} cannot be read: {error}; it should hold {part}_images and {part}_labels.",
            param="data",
        ) from error
