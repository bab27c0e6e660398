"""Texts as rows of words with what a tagger looks at: the word, its shape, its ends, its characters, its place."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from servery.errors import ArtifactError, TooLongError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import CJK, text_of

PADDING, UNKNOWN, RESERVED = 0, 1, 2
MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e4e"
)
"""Signs that belong to the letter before them, which Python's \\w leaves out."""
WORD = re.compile(rf"https?://\S+|www\.\S+|[{CJK}]|(?:[^\W\d_{CJK}]|[{MARKS}])+|\d+|[^\w\s]|_")
"""An address, a CJK character, a run of letters, a run of digits, or one mark: the finest pieces, so that a span
hardly ever ends within one.
"""
AFFIXES = ((0, 2), (0, 3), (0, 4), (-2, None), (-3, None), (-4, None))
"""Beginnings and ends of a word that are looked up, in characters."""
MOST_CHARACTERS = 16
"""Of a longer word its first and last eight."""
LONGEST_SHAPE = 6
LEAST_AFFIX_WORDS = 3
MOST_AFFIXES, MOST_SHAPES, MOST_SYMBOLS = 20_000, 1_000, 2_000


class TaggedWords(Encoder):
    """Numbers for each word of a text: itself, its shape, its beginnings and ends, its characters.

    Source of shapes and ends as features: Ratinov and Roth (2009), Design challenges in named entity recognition,
    section 2.

    Args:
        columns: The name of one text column.
        words: Words in lower case, digits as 0; known ones, in the order of their numbers.
        shapes: Shapes, likewise.
        affixes: Beginnings and ends, likewise.
        symbols: Characters, likewise.
        max_words: Most words of one text.
    """

    name = "tagged_words"

    def __init__(
        self,
        columns: Sequence[str],
        words: Sequence[str],
        shapes: Sequence[str],
        affixes: Sequence[str],
        symbols: Sequence[str],
        max_words: int,
    ) -> None:
        self.columns = tuple(columns)
        self.words, self.shapes = tuple(words), tuple(shapes)
        self.affixes, self.symbols = tuple(affixes), tuple(symbols)
        self.max_words = max_words
        self._word, self._shape, self._affix, self._symbol = (
            {value: number for number, value in enumerate(known, RESERVED)}
            for known in (self.words, self.shapes, self.affixes, self.symbols)
        )

    @property
    def counts(self) -> dict[str, int]:
        """Numbers there are of each kind, padding and unknown included."""
        known = {"words": self.words, "shapes": self.shapes, "affixes": self.affixes, "symbols": self.symbols}
        return {name: len(values) + RESERVED for name, values in known.items()}

    @classmethod
    def fit(
        cls,
        examples: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        *,
        vocabulary_size: int,
        max_words: int,
    ) -> TaggedWords:
        """Learn which words, shapes, ends and characters there are; what is met once stays unknown.

        Args:
            examples: The training rows.
            columns: The name of one text column.
            vocabulary_size: Most words to learn.
            max_words: Most words of one text.
        """
        words: Counter[str] = Counter()
        shapes: Counter[str] = Counter()
        symbols: Counter[str] = Counter()
        for example in examples:
            text = text_of(example, columns)
            for start, end in words_in(text):
                words[key_of(text[start:end])] += 1
                shapes[shape_of(text, start, end)] += 1
                symbols.update(text[start:end])
        affixes = Counter(affix for word in words for affix in affixes_of(word))
        return cls(
            columns,
            _known(words, 2, vocabulary_size),
            _known(shapes, 2, MOST_SHAPES),
            _known(affixes, LEAST_AFFIX_WORDS, MOST_AFFIXES),
            _known(symbols, 2, MOST_SYMBOLS),
            max_words,
        )

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `words`, `shapes` (rows, length), `affixes`, `symbols`, `places` (rows, length, ...), int64.

        `places` are start and end of each word in the text, in characters; padding is 0 throughout.

        Raises:
            TooLongError: A text has more than `max_words` words, and `cut` is false.
        """
        return padded([self.row(text_of(example, self.columns), cut) for example in examples])

    def row(self, text: str, cut: bool) -> Batch:
        """Return the arrays of one text, (words, ...)."""
        places = words_in(text)
        if len(places) > self.max_words:
            if not cut:
                raise TooLongError(
                    f"A text has {len(places):,} words and marks; this model reads at most {self.max_words:,}.",
                    hint="ask about its parts one by one, or train with a larger max_words",
                )
            places = places[: self.max_words]
        pieces = [text[start:end] for start, end in places]
        keys = [key_of(piece) for piece in pieces]
        symbols = np.zeros((len(places), MOST_CHARACTERS), np.int64)
        for place, piece in enumerate(pieces):
            numbers = [self._symbol.get(symbol, UNKNOWN) for symbol in ends_of(piece)]
            symbols[place, : len(numbers)] = numbers
        shapes = [self._shape.get(shape_of(text, start, end), UNKNOWN) for start, end in places]
        affixes = [[self._affix.get(affix, UNKNOWN) for affix in affixes_of(key)] for key in keys]
        return {
            "words": np.array([self._word.get(key, UNKNOWN) for key in keys], np.int64),
            "shapes": np.array(shapes, np.int64),
            "affixes": np.array(affixes, np.int64).reshape(-1, len(AFFIXES)),
            "symbols": symbols,
            "places": np.array(places, np.int64).reshape(-1, 2),
        }

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of words of each example."""
        return [len(words_in(text_of(example, self.columns))) for example in examples]

    def state(self) -> dict[str, Any]:
        """Return what is known, as plain JSON types."""
        return {
            "columns": list(self.columns),
            "words": list(self.words),
            "shapes": list(self.shapes),
            "affixes": list(self.affixes),
            "symbols": list(self.symbols),
            "max_words": self.max_words,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> TaggedWords:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            columns, words, shapes, affixes, symbols = (
                [str(value) for value in state[name]]
                for name in ("columns", "words", "shapes", "affixes", "symbols")
            )
            return cls(columns, words, shapes, affixes, symbols, int(state["max_words"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'tagged_words' is torn: {error!r}.") from error


def words_in(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word of a text, in characters.

    >>> [("O'Neil in 上海 :)")[start:end] for start, end in words_in("O'Neil in 上海 :)")]
    ['O', "'", 'Neil', 'in', '上', '海', ':', ')']
    """
    return [match.span() for match in WORD.finditer(text)]


def key_of(word: str) -> str:
    """Return what a word is looked up by: lower case, digits as 0, every address alike.

    >>> key_of("2026"), key_of("https://a.b/c"), key_of("Neil")
    ('0000', 'http://', 'neil')
    """
    if word.startswith(("http://", "https://", "www.")):
        return "http://"
    folded = unicodedata.normalize("NFKC", word).lower()
    return "".join("0" if character.isdigit() else character for character in folded)


def shape_of(text: str, start: int, end: int) -> str:
    """Return the kinds of a word's characters, runs of one kind as two at most; "~" where no space is before it.

    >>> shape_of("McDonald 7", 0, 8), shape_of("@Ann", 1, 4), shape_of("Route 66", 6, 8)
    ('XxXxx', '~Xxx', 'dd')
    """
    glued = "~" if start and not text[start - 1].isspace() else ""
    kinds = (_kind_of(character) for character in text[start : min(end, start + 40)])
    runs = (kind * min(len(list(run)), 2) for kind, run in groupby(kinds))
    return glued + "".join(runs)[:LONGEST_SHAPE]


def affixes_of(word: str) -> list[str]:
    """Return the beginnings and ends of a word; the whole word where it is shorter.

    >>> affixes_of("paris")
    ['pa-', 'par-', 'pari-', '-is', '-ris', '-aris']
    """
    return [f"-{word[start:end]}" if start < 0 else f"{word[start:end]}-" for start, end in AFFIXES]


def ends_of(word: str) -> str:
    """Return a word, or its first and last characters where it is too long."""
    half = MOST_CHARACTERS // 2
    return word if len(word) <= MOST_CHARACTERS else word[:half] + word[-half:]


def padded(rows: Sequence[Batch]) -> Batch:
    """Return arrays of rows of different lengths side by side, 0 behind their ends; at least one place long."""
    batch: Batch = {}
    for name, first in rows[0].items():
        longest = max(len(row[name]) for row in rows) or 1
        batch[name] = np.zeros((len(rows), longest, *first.shape[1:]), np.int64)
        for number, row in enumerate(rows):
            batch[name][number, : len(row[name])] = row[name]
    return batch


def _kind_of(character: str) -> str:
    if character.isupper():
        return "X"
    if character.isdigit():
        return "d"
    return "x" if character.isalpha() else character


def _known(counts: Counter[str], least: int, most: int) -> list[str]:
    kept: Iterable[tuple[str, int]] = ((value, count) for value, count in counts.items() if count >= least)
    return [value for value, _ in sorted(kept, key=lambda pair: (-pair[1], pair[0]))[:most]]
