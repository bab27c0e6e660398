"""Running text as rows: every passage with what stands before it, so that each character is asked for once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from servery.data.parts import part_of
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import named_after, read_parts, read_raw
from servery.data.text_encoding import UNDECODABLE, decode, read_bytes
from servery.errors import DataError

TEXT, PASSAGE, PLACE, BLOCK = "text", "passage", "place", "block"
KINDS = {TEXT: "text", PASSAGE: "text", PLACE: "number", BLOCK: "identifier"}
ROLES = {PLACE: "time", BLOCK: "group"}
"""Of a text the last passages are held out, and of the train part whole blocks for validation: a passage between
others would be foretold by a model that has learned both its neighbours."""
BLOCK_PASSAGES = 32
LEAST_BLOCKS = 30
PASSAGE_CHARACTERS = 256
CONTEXT_CHARACTERS = 256
"""Of the same text, before the passage: a model is asked how a text goes on, not how one begins."""
_TABLES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})
_TEXTS = frozenset({".txt", ".md"})


def read_passages(path: Path) -> RawTable:
    """Read texts and cut them into passages.

    Args:
        path: A .txt or .md file, which is one text; a csv, tsv, jsonl or parquet file with a column `text`, each cell
            one text (all but parquet also as .gz); or a folder with files train.*, validation.*, test.* or with texts.

    Returns:
        Columns `text` (a passage and up to 256 characters before it), `passage` and `place` (its number); of a file
        that is a part already, in place of that `block` (which passages stand together).

    Raises:
        DataError: It cannot be read, or holds no text.
    """
    if path.is_dir():
        return _read_folder(path)
    found = passages([text for text in _texts_in(path) if text], path.name)
    part = part_of(named_after(path))
    return found if part is None else _in_blocks(found, part)


def passages(texts: list[str], name: str = "the text") -> RawTable:
    """Cut texts into passages of 256 characters, the last one of each text shorter.

    Args:
        texts: In the order in which they are to be split.
        name: What they are called, for the error message.

    Raises:
        DataError: There is none.

    >>> passages(["a" * 256 + "b" * 100]).values["passage"][1] == "b" * 100
    True
    """
    rows = [row for text in texts for row in _cut(text)]
    if not rows:
        raise DataError(f"{name} holds no text.", hint="a plain text, or rows with a column 'text'")
    places = np.arange(1, len(rows) + 1, dtype=np.int64)
    columns = {
        TEXT: object_array([text for text, _ in rows]),
        PASSAGE: object_array([passage for _, passage in rows]),
        PLACE: object_array(places.tolist()),
    }
    return RawTable(columns, places, facts={"texts": f"{len(texts):,}"})


def _in_blocks(found: RawTable, part: str) -> RawTable:
    size = max(1, min(BLOCK_PASSAGES, len(found) // LEAST_BLOCKS))
    blocks = object_array([f"{part} {place // size + 1}" for place in range(len(found))])
    values = {name: column for name, column in found.values.items() if name != PLACE}
    return replace(found, values={**values, BLOCK: blocks})


def _cut(text: str) -> Iterator[tuple[str, str]]:
    for start in range(0, len(text), PASSAGE_CHARACTERS):
        end = start + PASSAGE_CHARACTERS
        yield text[max(0, start - CONTEXT_CHARACTERS) : end], text[start:end]


def _texts_in(path: Path) -> list[str]:
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    if endings and endings[-1] in _TABLES:
        return _cells(read_raw(path), path.name)
    if not path.exists() or not endings or endings[-1] not in _TEXTS:
        raise DataError(
            f"{path.name} is of no format that texts can be read from."
            if path.exists()
            else f"There is no file {path}.",
            hint="a .txt file, or a csv, jsonl or parquet file with a column 'text'",
            param="data",
        )
    text, _ = decode(read_bytes(path), path.name)
    # Lines end alike on every machine; a byte that is no text is not learned.
    return [UNDECODABLE.sub("\ufffd", text.replace("\r\n", "\n"))]


def _cells(raw: RawTable, name: str) -> list[str]:
    if TEXT not in raw.values:
        raise DataError(
            f"{name} has the columns {', '.join(raw.values)}; a language model learns from one called 'text'.",
            hint="rename the column of texts",
            param="data",
        )
    return [cell for cell in raw.values[TEXT] if isinstance(cell, str)]


def _read_folder(folder: Path) -> RawTable:
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    parts = {part: file for file in files if (part := part_of(named_after(file)))}
    if parts:
        return read_parts(parts, read_passages)
    return passages([text for file in files for text in _texts_in(file)], folder.name)
