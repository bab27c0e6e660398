"""Files with texts and their summaries: texts that come as lists of sentences are put together again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw

TEXTS = ("text", "source", "article", "document", "abstract")
"""What the column of texts may be called."""
SUMMARIES = ("summary", "summaries", "highlights", "references")
"""What the column of summaries may be called; a cell may hold one or several."""


def read_articles(path: Path) -> RawTable:
    """Read a file whose texts are cells of text or lists of sentences; summaries become lists of one or several.

    Raises:
        DataError: The file is missing, empty or of another format.
    """
    raw = read_raw(path)
    values = dict(raw.values)
    for name, cells in raw.values.items():
        if name in TEXTS:
            values[name] = object_array([_joined(cell) for cell in cells])
        elif name in SUMMARIES:
            values[name] = object_array([(cell,) if isinstance(cell, str) else cell for cell in cells])
    return replace(raw, values=values)


def _joined(cell: Any) -> Any:
    r"""Return a list of sentences as one text, anything else as it is.

    >>> _joined(("It works.\n", "We show why."))
    'It works. We show why.'
    """
    if not isinstance(cell, tuple):
        return cell
    return " ".join(sentence.strip() for sentence in cell if sentence.strip()) or None
