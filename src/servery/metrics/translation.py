"""How close translations are to the references: BLEU and chrF, from counts that add up over rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

WORD_ORDER, CHARACTER_ORDER = 4, 6
"""Longest runs of words that BLEU counts, and of characters that chrF counts."""
RECALL_WEIGHT = 2
"""chrF2: recall counts twice as much as precision."""


@dataclass(frozen=True)
class OverlapCounts:
    """What each row has in common with its reference; sums over rows are those of the corpus.

    Attributes:
        words: int64, (rows, 2 + 2 * WORD_ORDER): words of the translation, of the reference; for each order how many
            runs it shares with the reference, and how many there are.
        characters: int64, (rows, 3 * CHARACTER_ORDER): for each order the runs of the translation, of the reference,
            and those shared.
    """

    words: np.ndarray
    characters: np.ndarray

    def bleu(self, rows: np.ndarray | slice = slice(None)) -> float:
        """Return the BLEU of these rows as one corpus, from 0 to 100.

        Source: Papineni et al. (2002), BLEU: a method for automatic evaluation of machine translation, section 2.3;
        orders without a match are smoothed as in Post (2018), A call for clarity in reporting BLEU scores ("exp").
        """
        said, wanted, *counts = self.words[rows].sum(axis=0).tolist()
        shared, total = counts[:WORD_ORDER], counts[WORD_ORDER:]
        if not any(shared):
            return 0.0
        logs, halving = [], 1.0
        for right, runs in zip(shared, total, strict=True):
            if runs == 0:
                return 0.0  # no translation is long enough for a run of this order
            if right == 0:
                halving /= 2
            logs.append(np.log(right / runs if right else halving / runs))
        brevity = min(0.0, 1.0 - wanted / said)
        return float(100 * np.exp(np.mean(logs) + brevity))

    def chrf(self, rows: np.ndarray | slice = slice(None)) -> float:
        """Return the chrF2 of these rows as one corpus, from 0 to 100.

        Source: Popovic (2015), chrF: character n-gram F-score for automatic MT evaluation, section 2.
        """
        return float(_chrf(self.characters[rows].sum(axis=0, keepdims=True))[0])

    def chrf_of_rows(self) -> np.ndarray:
        """Return the chrF2 of each row, from 0 to 100, float64, (rows,)."""
        return _chrf(self.characters)

    def length_ratio(self, rows: np.ndarray | slice = slice(None)) -> float:
        """Return how long the translations are, in words, for one word of the references."""
        said, wanted = self.words[rows].sum(axis=0)[:2].tolist()
        return said / wanted if wanted else 0.0


def overlap_counts(translations: Sequence[str], references: Sequence[str]) -> OverlapCounts:
    """Count what translations share with their references.

    Words are cut as sacreBLEU cuts them: "zh" where most references are in Chinese characters, else "13a".

    Args:
        translations: What a model wrote, a text a row.
        references: What is right.
    """
    cut = _tokenizer("zh" if _is_chinese(references) else "13a")
    words = [
        _word_counts(cut(said), cut(right)) for said, right in zip(translations, references, strict=True)
    ]
    characters = [_character_counts(*pair) for pair in zip(translations, references, strict=True)]
    return OverlapCounts(
        np.array(words, np.int64).reshape(len(words), 2 + 2 * WORD_ORDER),
        np.array(characters, np.int64).reshape(len(words), 3 * CHARACTER_ORDER),
    )


def _is_chinese(texts: Sequence[str]) -> bool:
    chinese = sum("\u4e00" <= c <= "\u9fff" for text in texts for c in text)
    return 2 * chinese > sum(c.isalpha() for text in texts for c in text)


@cache
def _tokenizer(name: str) -> Any:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh

    return TokenizerZh() if name == "zh" else Tokenizer13a()


def _word_counts(said: str, right: str) -> list[int]:
    ours, theirs = said.split(), right.split()
    shared, total = [], []
    for order in range(1, WORD_ORDER + 1):
        runs = _runs(ours, order)
        shared.append((runs & _runs(theirs, order)).total())
        total.append(runs.total())
    return [len(ours), len(theirs), *shared, *total]


def _character_counts(said: str, right: str) -> list[int]:
    ours, theirs = "".join(said.split()), "".join(right.split())
    counts = []
    for order in range(1, CHARACTER_ORDER + 1):
        runs, wanted = _runs(ours, order), _runs(theirs, order)
        # A reference too short for a run of this order has nothing to be compared with, as in sacreBLEU.
        counts += [runs.total() if wanted else 0, wanted.total(), (runs & wanted).total()]
    return counts


def _runs(parts: Sequence[str], order: int) -> Counter[Any]:
    return Counter(tuple(parts[start : start + order]) for start in range(len(parts) - order + 1))


def _chrf(counts: np.ndarray) -> np.ndarray:
    said, wanted, shared = (
        counts.reshape(len(counts), CHARACTER_ORDER, 3).transpose(2, 0, 1).astype(np.float64)
    )
    counted = (said > 0) & (wanted > 0)  # (rows, orders)
    orders = np.maximum(counted.sum(axis=1), 1)
    precision = np.where(counted, shared / np.maximum(said, 1), 0.0).sum(axis=1) / orders
    recall = np.where(counted, shared / np.maximum(wanted, 1), 0.0).sum(axis=1) / orders
    weight = RECALL_WEIGHT**2
    both = weight * precision + recall
    return np.asarray(100 * (1 + weight) * precision * recall / np.where(both > 0, both, 1.0))
