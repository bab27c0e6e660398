"""The mistakes a model is surest of, in a form that a person can look through."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from servery.data.audio import described
from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.evaluation import numbers
from servery.evaluation.evaluation import Mistake

MOST_SHOWN = 12
MOST_CHARACTERS = 300
MOST_COLUMNS = 12
THUMBNAIL_PIXELS = 96


def confident_mistakes(
    test: Dataset, truth: np.ndarray, taken: np.ndarray, sureness: np.ndarray, labels: Sequence[str]
) -> tuple[Mistake, ...]:
    """Return the rows whose wrong decisions were the surest, the surest first.

    Args:
        test: Rows that were judged.
        truth: Labels the row carries, bool, (rows, labels).
        taken: Labels the model answers, bool, (rows, labels).
        sureness: How sure the model was of each decision, float64, (rows, labels).
        labels: Names of the labels.
    """
    worst = (sureness * (truth != taken)).max(axis=1)
    order = np.argsort(-worst, kind="stable")[:MOST_SHOWN]
    return tuple(
        Mistake(
            line=int(test.line_numbers[row]),
            shown=shown(test, row),
            picture=_picture(test, row),
            true=_named(truth[row], labels),
            predicted=_named(taken[row], labels),
            score=float(worst[row]),
        )
        for row in order.tolist()
        if worst[row] > 0
    )


def _named(chosen: np.ndarray, labels: Sequence[str]) -> str:
    return ", ".join(labels[i] for i in np.flatnonzero(chosen).tolist()) or "(none)"


def shown(dataset: Dataset, row: int) -> str:
    """Return the inputs of one row in a short form: a text as it is, other columns by name, a recording's length."""
    columns = [c for c in dataset.inputs if c.kind is not Kind.IMAGE]
    if len(columns) == 1 and columns[0].kind is Kind.TEXT:
        return _cut(dataset[columns[0].name][row] or "(missing)")
    cells = [f"{c.name} {_cell(c, dataset[c.name][row])}" for c in columns[:MOST_COLUMNS]]
    more = [f"and {len(columns) - MOST_COLUMNS} more"] if len(columns) > MOST_COLUMNS else []
    return _cut(" · ".join(cells + more))


def _cell(column: Column, value: object) -> str:
    if column.kind is Kind.AUDIO and isinstance(value, bytes):
        return f"of {described(value).seconds:.2f} s"
    if column.kind is Kind.NUMBER and isinstance(value, float):
        return "missing" if np.isnan(value) else numbers.shown(value)
    return "missing" if value is None else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def _picture(dataset: Dataset, row: int) -> str:
    column = next((c for c in dataset.inputs if c.kind is Kind.IMAGE), None)
    if column is None:
        return ""
    written = io.BytesIO()
    with Image.open(io.BytesIO(dataset[column.name][row])) as picture:
        small = picture.convert("RGB")
        small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        small.save(written, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode('ascii')}"
