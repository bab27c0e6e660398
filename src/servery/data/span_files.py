"""Reads texts with labelled spans: rows of text and spans, rows of tokens and tags, or CoNLL files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from servery.data.cells import structure_of
from servery.data.dataset import BadRow
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.data.tags import OUTSIDE, fault_of_spans, fault_of_tags, text_with_spans
from servery.data.text_encoding import decode, read_bytes
from servery.errors import DataError, EmptyDataError

CONLL_ENDINGS = frozenset({".conll", ".bio", ".iob", ".iob2"})
TEXT, SPANS, TOKENS, TAGS = "text", "entities", "tokens", "tags"


def read_spans(path: Path) -> RawTable:
    """Read a file or folder of tagged texts as the columns `text` and `entities`.

    Rows with `tokens` and `tags` become such rows. Rows that cannot be (tags of another number than tokens, spans
    outside the text or over one another) are set aside in `bad_rows`.

    Args:
        path: What `read_raw` reads; or a CoNLL file (.conll, .bio, .iob): a token and its tag a line, parted by white
            space, the tag last, an empty line between sentences.

    Raises:
        EmptyDataError: No usable row is left.
        DataError: The file is missing or torn.
    """
    raw = _read_conll(path) if path.is_file() and _endings(path) & CONLL_ENDINGS else read_raw(path)
    if TOKENS in raw.values and TAGS in raw.values and TEXT not in raw.values:
        raw = _arranged(raw)
    if TEXT not in raw.values or SPANS not in raw.values:
        return raw
    spans = [_spans(cell) for cell in raw.values[SPANS]]
    rows = zip(raw.values[TEXT], spans, strict=True)
    return _set_aside(raw, [fault_of_spans(text or "", found) for text, found in rows])


def _arranged(raw: RawTable) -> RawTable:
    """Return text and entities in the place of tokens and tags."""
    pairs = [
        (structure_of(a), structure_of(b)) for a, b in zip(raw.values[TOKENS], raw.values[TAGS], strict=True)
    ]
    faults = [fault_of_tags(*pair) for pair in pairs]
    raw = _set_aside(raw, faults)
    made = [text_with_spans(*pair) for pair, fault in zip(pairs, faults, strict=True) if not fault]
    texts = object_array([text for text, _ in made])
    spans = object_array([orjson.dumps(found).decode() for _, found in made])
    others = {name: cells for name, cells in raw.values.items() if name not in (TOKENS, TAGS)}
    return replace(raw, values={TEXT: texts, SPANS: spans, **others})


def _set_aside(raw: RawTable, faults: Sequence[str]) -> RawTable:
    """Return the rows without a fault; the others stand in `bad_rows`."""
    kept = np.array([not fault for fault in faults], dtype=bool)
    if kept.all():
        return raw
    lines = raw.line_numbers.tolist()
    bad_rows = [BadRow(line, fault) for line, fault in zip(lines, faults, strict=True) if fault]
    if not kept.any():
        first = bad_rows[0]
        raise EmptyDataError(f"No row can be used. Line {first.line}: {first.reason}.", param="data")
    values = {name: cells[kept] for name, cells in raw.values.items()}
    return RawTable(values, raw.line_numbers[kept], (*raw.bad_rows, *bad_rows), raw.facts)


def _spans(cell: Any) -> Any:
    # A row without spans: JSON's empty list, or nothing at all.
    return [] if cell is None else structure_of(cell)


def _read_conll(path: Path) -> RawTable:
    text, encoding = decode(read_bytes(path), path.name)
    sentences: list[tuple[int, list[str], list[str]]] = []
    is_open = False
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts or parts[0] == "-DOCSTART-":
            is_open = False
            continue
        if len(parts) == 1:
            raise DataError(
                f"Line {number} of {path.name} has a token without a tag: {line[:40]!r}.",
                hint="a token and its tag a line, an empty line between sentences",
                param="data",
            )
        if not is_open:
            sentences.append((number, [], []))
            is_open = True
        sentences[-1][1].append(parts[0])
        sentences[-1][2].append(OUTSIDE if parts[-1] == "_" else parts[-1])
    if not sentences:
        raise EmptyDataError(f"{path.name} holds no sentence.")
    return RawTable(
        {
            TOKENS: object_array([tuple(tokens) for _, tokens, _ in sentences]),
            TAGS: object_array([tuple(tags) for _, _, tags in sentences]),
        },
        np.array([line for line, _, _ in sentences], dtype=np.int64),
        facts={"encoding": encoding},
    )


def _endings(path: Path) -> set[str]:
    return {ending.lower() for ending in path.suffixes}
