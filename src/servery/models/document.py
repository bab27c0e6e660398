"""A text cut into words and sentences, with the place of each: English, Chinese and what is between them."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from servery.metrics.rouge import CJK

CLAUSE_MARKS = frozenset("，,；;：:、。！？!?.—")
_TOKEN = re.compile(rf"[A-Za-z0-9]+|[{CJK}]|[^\W_A-Za-z0-9{CJK}]+|[^\w\s]|_")
_CHARACTER = re.compile(rf"[{CJK}]|.[{CJK}]")
_STOP = re.compile(
    r"[。！？]+[”’」』）]*"  # Chinese sentences need no space after them
    r"|(?<=[\u3400-\u9fff）)\]])[.．]+(?!\d)"  # nor where a Western stop ends them, as in scientific abstracts
    r"|[.!?…]+[\"'”’)\]]*(?=\s+[\"'“‘(\[]*[^\Wa-z_])"
    r"|\n(?=\s*\n)|\n(?!\s*[a-z])"  # a line that goes on in lower case was only wrapped
)
_SHORTENED = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|al|resp|approx|Fig|Figs|Eq|Eqs|Sec|No|Dr|Mr|Mrs|Ms|Prof|St|Inc|Ltd|Jr)|\b[A-Z])\.$"
)
"""A stop after these ends no sentence."""
_JOINING = frozenset("-'’‐‑_·")
"""Marks that join what stands around them to one word."""


@dataclass(frozen=True)
class Document:
    """A text as tokens: words as `metrics.rouge` counts them, Chinese characters and single marks.

    Attributes:
        text: As it came.
        begins: Character at which each token begins, int64, (tokens,).
        ends: Character after it, int64, (tokens,).
        numbers: A number for what the token says, letters in lower case, uint32, (tokens,).
        is_word: Whether it counts as a word, bool, (tokens,).
        sentence: Which sentence it is of, int64, (tokens,), from 0 on without gaps.
    """

    text: str
    begins: np.ndarray
    ends: np.ndarray
    numbers: np.ndarray
    is_word: np.ndarray
    sentence: np.ndarray

    def __len__(self) -> int:
        return len(self.begins)

    @classmethod
    def of(cls, text: str) -> Document:
        """Cut a text.

        >>> document = Document.of("We train. 我们训练。 Done, e.g. Here?")
        >>> [document.piece(*span) for span in document.sentences.tolist()]
        ['We train.', '我们训练。', 'Done, e.g. Here?']
        """
        found = list(_TOKEN.finditer(text))
        begins = np.array([match.start() for match in found], np.int64)
        stops = np.array(
            [
                m.end()
                for m in _STOP.finditer(text)
                if not _SHORTENED.search(text, max(m.start() - 8, 0), m.end())
            ],
            np.int64,
        )
        of_stop = np.searchsorted(stops, begins, side="right")
        words = [match.group() for match in found]
        return cls(
            text,
            begins,
            np.array([match.end() for match in found], np.int64),
            np.array([_number(word.lower()) for word in words], np.uint32),
            np.array([word[0].isalnum() for word in words], bool),
            np.unique(of_stop, return_inverse=True)[1].reshape(-1).astype(np.int64),
        )

    @cached_property
    def sentences(self) -> np.ndarray:
        """First and last token of each sentence that has a word, int64, (sentences, 2)."""
        if not len(self):
            return np.zeros((0, 2), np.int64)
        first = np.flatnonzero(np.diff(self.sentence, prepend=-1))
        last = np.append(first[1:], len(self)) - 1
        has_word = np.add.reduceat(self.is_word, first) > 0
        return np.stack([first, last], axis=1)[has_word]

    @cached_property
    def clauses(self) -> np.ndarray:
        """First and last token of each piece between marks, marks left out, int64, (clauses, 2)."""
        is_mark = np.array([self.text[begin] in CLAUSE_MARKS for begin in self.begins], bool)
        spans = []
        for first, last in self.sentences.tolist():
            places = np.arange(first, last + 1)
            for run in np.split(places, np.flatnonzero(is_mark[places])):
                kept = run[~is_mark[run]]
                if self.is_word[kept].any():
                    spans.append((kept[0], kept[-1]))
        return np.array(spans, np.int64).reshape(-1, 2)

    @cached_property
    def words_before(self) -> np.ndarray:
        """How many words stand before each token, and in all, int64, (tokens + 1,)."""
        return np.concatenate([[0], np.cumsum(self.is_word)])

    @cached_property
    def can_begin(self) -> np.ndarray:
        """Whether a piece may begin with the token, bool, (tokens,): not within a word, nor one that marks join."""
        before = [self.text[begin - 1] if begin else " " for begin in self.begins]
        here = [self.text[begin] for begin in self.begins]
        return np.asarray(self.is_word & ~np.array([*map(_is_joined, before, here)], bool))

    @cached_property
    def can_end(self) -> np.ndarray:
        """Whether a piece may end with the token, bool, (tokens,)."""
        after = [self.text[end] if end < len(self.text) else " " for end in self.ends]
        here = [self.text[end - 1] for end in self.ends]
        return np.asarray(self.is_word & ~np.array([*map(_is_joined, after, here)], bool))

    def piece(self, first: int, last: int) -> str:
        """Return the text from one token to another, both included."""
        return self.text[self.begins[first] : self.ends[last]]


def _is_joined(outside: str, inside: str) -> bool:
    """Whether a word goes on beyond its edge."""
    return outside in _JOINING or (outside.isalnum() and not _CHARACTER.match(outside + inside))


@lru_cache(65_536)
def _number(word: str) -> int:
    return zlib.crc32(word.encode(errors="replace"))
