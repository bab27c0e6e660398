"""Cells of boxes: what stands in them, what is wrong with them, and in which picture's coordinates they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from servery.data.columns import Kind, Role
from servery.data.dataset import Dataset
from servery.data.finding import Finding, counted, first_lines, in_lines
from servery.data.pictures import size_of

EDGES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Thing:
    """A thing in a picture: what it is, and its box in pixels, the smaller corner first.

    Attributes:
        label: What it is.
        box: xmin, ymin, xmax, ymax.
        is_inverted: Whether its corners came the other way round.
    """

    label: str
    box: tuple[float, float, float, float]
    is_inverted: bool = False

    def within(self, width: int, height: int) -> tuple[float, float, float, float] | None:
        """Return the part of the box within a picture of that size, None where there is none.

        >>> Thing("cat", (-5.0, 2.0, 3.0, 9.0)).within(8, 8), Thing("cat", (9.0, 0.0, 12.0, 5.0)).within(8, 8)
        ((0.0, 2.0, 3.0, 8.0), None)
        """
        xmin, ymin, xmax, ymax = self.box
        cut = (max(xmin, 0.0), max(ymin, 0.0), min(xmax, float(width)), min(ymax, float(height)))
        return cut if cut[0] < cut[2] and cut[1] < cut[3] else None


def things_of(cell: Any) -> list[Thing]:
    """Return the things that a cell of boxes lists.

    Raises:
        ValueError: It is no list of objects with a label and four numbers.

    >>> things_of([{"label": "cat", "xmin": 9, "ymin": 0, "xmax": 4, "ymax": 5}])
    [Thing(label='cat', box=(4.0, 0.0, 9.0, 5.0), is_inverted=True)]
    """
    if not isinstance(cell, list):
        raise ValueError(f"expected a list of boxes, got {type(cell).__name__}")
    return [_thing(entry) for entry in cell]


def _thing(entry: Any) -> Thing:
    if not isinstance(entry, dict) or not entry.keys() >= {"label", *EDGES}:
        raise ValueError(f'a box needs "label", {", ".join(EDGES)}; got {entry!r:.80}')
    edges = [entry[name] for name in EDGES]
    if not all(isinstance(edge, int | float) and math.isfinite(edge) for edge in edges):
        raise ValueError(f"the edges of a box are four numbers; got {edges!r:.80}")
    label = str(entry["label"]).strip()
    if not label:
        raise ValueError("a box has an empty label")
    low_x, high_x = sorted((float(edges[0]), float(edges[2])))
    low_y, high_y = sorted((float(edges[1]), float(edges[3])))
    return Thing(label, (low_x, low_y, high_x, high_y), edges[0] > edges[2] or edges[1] > edges[3])


def picture_sizes(dataset: Dataset) -> list[tuple[int, int]]:
    """Return width and height of each row's picture, as it stands upright; boxes are in these pixels.

    Raises:
        ValueError: The data set has no picture column.
    """
    column = next((c.name for c in dataset.inputs if c.kind is Kind.IMAGE), None)
    if column is None:
        raise ValueError("boxes need a column of pictures, and there is none")
    return [size_of(content) for content in dataset[column]]


def check_boxes(dataset: Dataset) -> list[Finding]:
    """Return what is wrong with the boxes of a target column, and what is done about it."""
    target = next((c for c in dataset.columns if c.role is Role.TARGET and c.kind is Kind.BOXES), None)
    if target is None or Kind.IMAGE not in dataset.input_kinds:
        return []
    rows: dict[str, list[int]] = {"torn": [], "inverted": [], "outside": [], "none": []}
    for row, (cell, size) in enumerate(zip(dataset[target.name], picture_sizes(dataset), strict=True)):
        for fault in _faults(cell, size):
            rows[fault].append(row)
    findings = []
    for code, severity, fault, what in (
        ("torn_boxes", "error", "torn", "boxes that cannot be read"),
        ("inverted_boxes", "warning", "inverted", "boxes with swapped corners, which are swapped back"),
        ("boxes_outside", "warning", "outside", "boxes beyond the picture's edge or empty, which are cut"),
        ("nothing_shown", "note", "none", "no box: models learn that nothing is there"),
    ):
        if rows[fault]:
            places = np.array(rows[fault])
            owners = counted(len(places), "picture has", "pictures have")
            message = f"{owners} {what}, first {in_lines(dataset, places)}."
            findings.append(Finding(code, severity, message, target.name, first_lines(dataset, places)))
    return findings


def _faults(cell: Any, size: tuple[int, int]) -> list[str]:
    try:
        things = things_of(cell)
    except ValueError:
        return ["torn"]
    faults = {
        "inverted": any(thing.is_inverted for thing in things),
        "outside": any(thing.within(*size) != thing.box for thing in things),
        "none": not things,
    }
    return [fault for fault, is_so in faults.items() if is_so]
