"""Texts as weighted counts of their terms (TF-IDF): words, pairs of words, and pieces of words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from servery.errors import ArtifactError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import CJK, text_of, words_of

PIECE_MARK = "\t"
"""Stands before a piece of a word, so that it is never taken for a word: no word holds white space."""
CACHED_WORDS = 65_536
"""Words whose numbers are kept at hand; few words make up most of a text (Zipf), so this saves most look-ups."""
LONGEST_CACHED_WORD = 40
"""Longer ones are looked up anew each time, so that nobody fills the memory with made-up words."""
CHUNK_ROWS = 4096
"""Texts encoded together."""
_IS_CHARACTER = re.compile(f"[{CJK}]")


def _pieces(word: str, shortest: int, longest: int) -> list[str]:
    if _IS_CHARACTER.fullmatch(word):  # its only piece is itself, which counts as a word already
        return []
    # The word's edges count as a character: " un" is not the "un" within "fun".
    padded = f" {word} "
    return [
        PIECE_MARK + padded[start : start + length]
        for length in range(shortest, min(longest, len(padded)) + 1)
        for start in range(len(padded) - length + 1)
    ]


def _phrases(words: Sequence[str], longest: int) -> list[str]:
    return [
        " ".join(words[start : start + length])
        for length in range(2, longest + 1)
        for start in range(len(words) - length + 1)
    ]


class Terms(Encoder):
    """TF-IDF: sublinear term counts times inverse document frequency; words and pieces each scaled to length 1.

    A run of CJK characters gives its characters and their pairs.

    Source: Manning, Raghavan, Schuetze (2008), Introduction to Information Retrieval, sections 6.2 and 6.4.1.

    Args:
        columns: Names of the text columns.
        document_counts: Term to the number of training texts that hold it, in the order of the outputs.
        documents: Number of training texts.
        phrase_length: Longest run of words that is a term.
        piece_lengths: Shortest and longest piece of a word, in characters; (0, 0) for none.
    """

    name = "terms"

    def __init__(
        self,
        columns: Sequence[str],
        document_counts: Mapping[str, int],
        documents: int,
        phrase_length: int,
        piece_lengths: tuple[int, int],
    ) -> None:
        self.columns = tuple(columns)
        self.document_counts = dict(document_counts)
        self.documents = documents
        self.phrase_length = phrase_length
        self.piece_lengths = piece_lengths
        self._number = {term: number for number, term in enumerate(self.document_counts)}
        counts = np.fromiter(self.document_counts.values(), np.float64, len(self.document_counts))
        self._rarity = (np.log((1 + documents) / (1 + counts)) + 1).astype(np.float32)  # (terms,)
        self._is_piece = np.array([t.startswith(PIECE_MARK) for t in self.document_counts], dtype=bool)
        self._numbers_of_word = lru_cache(CACHED_WORDS)(self._look_up)

    @property
    def term_count(self) -> int:
        """Number of terms, the width of the batches."""
        return len(self._number)

    @classmethod
    def fit(
        cls,
        examples: Iterable[Mapping[str, Any]],
        columns: Sequence[str],
        *,
        phrase_length: int = 2,
        piece_lengths: tuple[int, int] = (2, 5),
        min_documents: int = 2,
        min_piece_documents: int = 5,
        max_terms: int = 200_000,
    ) -> Terms:
        """Learn which terms there are.

        Args:
            examples: The training rows.
            columns: Names of the text columns.
            phrase_length: Longest run of words that is a term.
            piece_lengths: Shortest and longest piece of a word; (0, 0) for none.
            min_documents: Texts a word or phrase must be in; fewer teach nothing.
            min_piece_documents: Texts a piece must be in.
            max_terms: Most terms; those in the most texts are kept.
        """
        pieces_of = lru_cache(CACHED_WORDS)(_pieces)
        counts: Counter[str] = Counter()
        documents = 0
        for example in examples:
            words = words_of(text_of(example, columns))
            found = {*words, *_phrases(words, phrase_length)}
            if piece_lengths[1]:
                for word in set(words):
                    found.update(pieces_of(word, *piece_lengths))
            counts.update(found)
            documents += 1
        least = {False: min(min_documents, documents), True: min(min_piece_documents, documents)}
        kept = [(t, n) for t, n in counts.items() if n >= least[t.startswith(PIECE_MARK)]]
        kept = sorted(kept, key=lambda pair: (-pair[1], pair[0]))[:max_terms]
        return cls(columns, dict(sorted(kept)), documents, phrase_length, piece_lengths)

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the texts in compressed rows: `indices` int64, `values` float32, `offsets` int64 (rows + 1,)."""
        chunks = [
            self._encode_chunk(examples[start : start + CHUNK_ROWS])
            for start in range(0, max(len(examples), 1), CHUNK_ROWS)
        ]
        lengths = np.concatenate([lengths for _, _, lengths in chunks])
        return {
            "indices": np.concatenate([indices for indices, _, _ in chunks]),
            "values": np.concatenate([values for _, values, _ in chunks]),
            "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        }

    def _encode_chunk(
        self, examples: Sequence[Mapping[str, Any]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = [self._numbers(text_of(example, self.columns)) for example in examples]
        width = max(self.term_count, 1)
        rows = np.repeat(np.arange(len(found)), [len(numbers) for numbers in found])
        flat = np.fromiter((n for numbers in found for n in numbers), np.int64, len(rows))
        cells, counts = np.unique(rows * width + flat, return_counts=True)
        rows, indices = np.divmod(cells, width)
        values = ((1 + np.log(counts)) * self._rarity[indices]).astype(np.float32)
        # Words and pieces are two descriptions of one text; neither may drown the other.
        group = 2 * rows + self._is_piece[indices]
        lengths = np.sqrt(np.bincount(group, values.astype(np.float64) ** 2, minlength=2 * len(found)))
        values = (values / lengths[group]).astype(np.float32)
        return indices, values, np.bincount(rows, minlength=len(found))

    def _numbers(self, text: str) -> list[int]:
        words = words_of(text)
        numbers: list[int] = []
        for word in words:
            look_up = self._numbers_of_word if len(word) <= LONGEST_CACHED_WORD else self._look_up
            numbers.extend(look_up(word))
        number = self._number
        numbers.extend(number[p] for p in _phrases(words, self.phrase_length) if p in number)
        return numbers

    def _look_up(self, word: str) -> tuple[int, ...]:
        terms = [word, *(_pieces(word, *self.piece_lengths) if self.piece_lengths[1] else ())]
        return tuple(self._number[term] for term in terms if term in self._number)

    def state(self) -> dict[str, Any]:
        """Return the terms with their counts, as plain JSON types."""
        return {
            "columns": list(self.columns),
            "document_counts": self.document_counts,
            "documents": self.documents,
            "phrase_length": self.phrase_length,
            "piece_lengths": list(self.piece_lengths),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Terms:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            shortest, longest = (int(length) for length in state["piece_lengths"])
            counts = {str(term): int(count) for term, count in state["document_counts"].items()}
            documents = int(state["documents"])
            if not all(0 < count <= documents for count in counts.values()) or not math.isfinite(documents):
                raise ValueError("a term in no text, or in more texts than there are")
            columns = [str(column) for column in state["columns"]]
            return cls(columns, counts, documents, int(state["phrase_length"]), (shortest, longest))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"The state of the encoder 'terms' is torn: {error!r}.") from error
