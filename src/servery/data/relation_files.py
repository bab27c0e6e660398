"""Reads texts with two marked entities and the relation between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from servery.data.dataset import BadRow
from servery.data.marked_text import MarkedText, parse_marked
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.errors import DataError, InputError

SENTENCE, RELATION = "sentence", "relation"
_TEXTS = ("sentence", "text", "句子", "文本")
_PLACES = ("head_start", "head_end", "tail_start", "tail_end")


def read_relations(path: Path) -> RawTable:
    """Read a file or folder as the column `sentence`, with its marks, and the others.

    A text has its entities marked as `<e1>head</e1>` and `<e2>tail</e2>`, or columns head_start, head_end, tail_start
    and tail_end say where they stand. Rows whose marks cannot be read are set aside in `bad_rows`.

    Raises:
        DataError: The file is missing, or has no text column.
    """
    raw = read_raw(path)
    name = next((name for name in _TEXTS if name in raw.values), None)
    if name is None:
        raise DataError(
            f"{path.name} has no column {' or '.join(_TEXTS[:2])}; its columns are {', '.join(raw.values)}.",
            hint="put the texts, with <e1> and <e2> around the two entities, into a column called sentence",
            param="data",
        )
    has_places = all(place in raw.values for place in _PLACES)
    kept: list[int] = []
    marked: list[str] = []
    bad: list[BadRow] = []
    for row, text in enumerate(raw.values[name]):
        places = {place: raw.values[place][row] for place in _PLACES} if has_places else {}
        try:
            marked.append(_marked(text, places))
            kept.append(row)
        except InputError as error:
            bad.append(BadRow(int(raw.line_numbers[row]), f"{name}: {error.message}"))
    others = {n: cells[kept] for n, cells in raw.values.items() if n not in (name, *_PLACES)}
    return replace(
        raw,
        values={SENTENCE: object_array(marked), **others},
        line_numbers=raw.line_numbers[kept],
        bad_rows=(*raw.bad_rows, *bad),
    )


def _marked(text: Any, places: Mapping[str, Any]) -> str:
    if not isinstance(text, str):
        raise InputError("the text is missing")
    if not places:
        return str(parse_marked(text))
    try:
        head_start, head_end, tail_start, tail_end = (int(float(places[place])) for place in _PLACES)
    except (TypeError, ValueError) as error:
        raise InputError(f"a place is no number: {places}") from error
    return str(MarkedText(text, (head_start, head_end), (tail_start, tail_end)))
