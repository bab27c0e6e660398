"""What the tasks that answer with labels have in common: refused targets, the Hub's names and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.errors import DataError


def refuse_targets(dataset: Dataset, rows: np.ndarray, labels: Sequence[str]) -> None:
    """Raise a DataError that names the lines and values of these rows, if there are any."""
    if not len(rows):
        return
    values = dataset[dataset.target.name]
    shown = [
        f"line {dataset.line_numbers[row]}: {'missing' if values[row] is None else repr(values[row])}"
        for row in rows[:5]
    ]
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    known = ", ".join(labels[:20]) + (", ..." if len(labels) > 20 else "")
    raise DataError(
        f"The target '{dataset.target.name}' is missing or not a known label in {len(rows)} row(s): "
        f"{'; '.join(shown)}{more}. Known labels: {known}.",
        hint="correct or remove these rows",
        param="target",
    )


def hub_name(kinds: frozenset[Kind]) -> str:
    """Return the Hub's name of classification for inputs of these kinds.

    >>> hub_name(frozenset({Kind.TEXT}))
    'text-classification'
    """
    if Kind.IMAGE in kinds:
        return "image-classification"
    if Kind.AUDIO in kinds:
        return "audio-classification"
    return "text-classification" if kinds == {Kind.TEXT} else "tabular-classification"


def hub_shape(rows: list[list[dict[str, Any]]], kinds: frozenset[Kind], is_batch: bool) -> Any:
    """Nest the label lists of each row as `huggingface_hub.InferenceClient` unpacks them.

    Texts are always a list of lists: the client takes the first element, and from a flat list it would return
    one label where many were answered. One picture or one recording is a flat list.
    """
    return rows[0] if kinds & {Kind.IMAGE, Kind.AUDIO} and not is_batch else rows
