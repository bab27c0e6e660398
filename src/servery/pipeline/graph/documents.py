"""Documents as a graph is made of: files, folders and tables of texts, cut into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from servery.data.readers import read_raw
from servery.data.text_encoding import UNDECODABLE, decode, read_bytes
from servery.errors import DataError, DataNotFoundError

PLAIN = frozenset({".txt", ".md"})
TABLES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})
_TEXT_COLUMNS = ("text", "document", "content", "body", "article", "文本", "正文")
_NAME_COLUMNS = ("name", "title", "id", "标题")
LONGEST_SENTENCE = 600
"""Characters; a longer run without an end (a list, a table) is cut where a word ends."""
_END = re.compile(r"(?:[.!?…]+[\"'”’)\]]*(?=\s)|[。！？；]+[”’」』）]*|\n\s*\n)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Inc|Ltd|Co|Corp|Jr|Sr|vs|etc|e\.g|i\.e|No)|\b[A-Z])\.$"
)


@dataclass(frozen=True)
class Document:
    """A text and what it is called."""

    name: str
    text: str


def read_documents(path: Path) -> list[Document]:
    """Read documents.

    Args:
        path: A text file, a table with a column text, or a folder of them.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: There is no document in it, or a table has no text column.
    """
    if not path.exists():
        raise DataNotFoundError(f"There is no file or folder {path}.", param="documents")
    files = (
        sorted(p for p in path.rglob("*") if p.suffix.lower() in PLAIN | TABLES) if path.is_dir() else [path]
    )
    documents = [document for file in files for document in _read(file, path)]
    if not documents:
        endings = ", ".join(sorted(PLAIN | TABLES))
        raise DataError(
            f"{path} holds no document.", hint=f"files that are read: {endings}", param="documents"
        )
    return documents


def _read(file: Path, root: Path) -> Iterator[Document]:
    name = str(file.relative_to(root)) if file != root else file.name
    if file.suffix.lower() not in TABLES:
        yield Document(name, UNDECODABLE.sub("\ufffd", decode(read_bytes(file), file.name)[0]))
        return
    table = read_raw(file).values
    lowered = {column.lower(): column for column in table}
    texts = next((lowered[column] for column in _TEXT_COLUMNS if column in lowered), None)
    if texts is None:
        raise DataError(
            f"{file.name} has no column called text; its columns are {', '.join(table)}.", param="documents"
        )
    names = next((lowered[column] for column in _NAME_COLUMNS if column in lowered), None)
    for row, text in enumerate(table[texts]):
        if isinstance(text, str) and text.strip():
            yield Document(f"{name}#{table[names][row] if names else row + 1}", text)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text in English, Chinese or both, white space made single.

    >>> sentences_of("Dr. Lund left. 她去了云溪。Then?")
    ['Dr. Lund left.', '她去了云溪。', 'Then?']
    """
    cuts = [
        match.end()
        for match in _END.finditer(text)
        if not _ABBREVIATION.search(text[max(0, match.end() - 8) : match.end()])
    ]
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    plain = (" ".join(piece.split()) for piece in pieces)
    return [part for piece in plain if piece for part in _shortened(piece)]


def _shortened(sentence: str) -> Sequence[str]:
    parts = []
    while len(sentence) > LONGEST_SENTENCE:
        cut = sentence.rfind(" ", 0, LONGEST_SENTENCE) + 1 or LONGEST_SENTENCE
        parts.append(sentence[:cut].strip())
        sentence = sentence[cut:]
    return [*parts, sentence]
