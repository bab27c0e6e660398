"""Cuts inputs into parts and takes one out again, so that a model can be asked what changes without it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

from servery.data.columns import Column, Kind
from servery.data.pixels import painted
from servery.tasks.part import Part

MOST_PARTS = 64
"""A longer text is cut into pieces of several words: an explanation asks the model once a part."""
GRID = 8
"""A picture is cut into this many patches a side."""

_SINGLE = frozenset({Kind.NUMBER, Kind.CATEGORY, Kind.TIME})
# A word, or one character of a script that writes without spaces.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|(?:[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|['’])+"
)


def text_parts(text: str, column: str) -> list[Part]:
    """Return the words of a text in order, at most `MOST_PARTS` parts.

    >>> [part.text for part in text_parts("Slow, and rude!", "review")]
    ['Slow', 'and', 'rude']
    """
    spans = [match.span() for match in _WORD.finditer(text)]
    together = -(-len(spans) // MOST_PARTS)
    groups = [spans[i : i + together] for i in range(0, len(spans), max(together, 1))]
    ends = [(group[0][0], group[-1][1]) for group in groups]
    return [Part(column, text[start:end], start, end) for start, end in ends]


def picture_parts(picture: bytes, column: str) -> list[Part]:
    """Return the patches of a picture, row by row."""
    with Image.open(io.BytesIO(picture)) as opened:
        width, height = opened.size
    across, down = _cuts(width), _cuts(height)
    return [
        Part(column, box=(left, top, right - left, bottom - top))
        for top, bottom in pairwise(down)
        for left, right in pairwise(across)
    ]


def parts_of(example: dict[str, Any], columns: Sequence[Column]) -> list[Part]:
    """Return the words of texts, the patches of pictures, and the columns of a row that have a value."""
    parts: list[Part] = []
    for column in columns:
        value = example[column.name]
        if column.kind is Kind.TEXT:
            parts += text_parts(value or "", column.name)
        elif column.kind is Kind.IMAGE:
            parts += picture_parts(value, column.name)
        elif column.kind in _SINGLE and not _is_missing(value):
            parts.append(Part(column.name, str(value)[:100]))
    return parts


def without(example: dict[str, Any], part: Part, columns: Sequence[Column]) -> dict[str, Any]:
    """Return an example as it would be without one of its parts.

    Words are cut out, a patch is painted in the picture's mean colour, and a value of a row becomes unknown.

    Source: Zeiler and Fergus (2014), Visualizing and understanding convolutional networks, section 4.2, for patches;
    Li, Monroe and Jurafsky (2016), Understanding neural networks through representation erasure, section 3, for words.
    """
    value = example[part.column]
    kind = next(column.kind for column in columns if column.name == part.column)
    if part.start is not None and part.end is not None:
        changed = value[: part.start] + value[part.end :]
    elif part.box is not None:
        changed = painted(value, [part.box])
    else:
        changed = float("nan") if kind is Kind.NUMBER else np.datetime64("NaT") if kind is Kind.TIME else None
    return {**example, part.column: changed}


def _cuts(size: int) -> list[int]:
    return sorted({round(size * place / GRID) for place in range(GRID + 1)})


def _is_missing(value: object) -> bool:
    return value is None or value != value or (isinstance(value, np.datetime64) and bool(np.isnat(value)))
