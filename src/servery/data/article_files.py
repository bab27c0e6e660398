"""Files with texts and their summaries: texts that come as lists of sentences are put together again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw

TEXTS = ("text", "source", "article", "document", "abstract")
"""What the column of texts may be called."""


def read_articles(path: Path) -> RawTable:
    """Read a file whose texts are cells of text or lists of sentences.

    Raises:
        DataError: The file is missing, empty or of another format.
    """
    raw = read_raw(path)
    values = {
        name: object_array([_joined(cell) for cell in cells]) if name in TEXTS else cells
        for name, cells in raw.values.items()
    }
    return replace(raw, values=values)


def _joined(cell: Any) -> Any:
    r"""Return a list of sentences as one text, anything else as it is.

    >>> _joined(("It works.\n", "We show why."))
    'It works. We show why.'
    """
    if not isinstance(cell, tuple):
        return cell
    return " ".join(sentence.strip() for sentence in cell if sentence.strip()) or None
