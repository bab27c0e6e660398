"""How much of its references a summary holds: ROUGE-1, ROUGE-2 and ROUGE-L, the best reference of a row counting."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

VARIANTS = ("rouge_1", "rouge_2", "rouge_l")
"""Shared words, shared pairs of words, and the longest common subsequence of words; each as F1."""
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[a-z0-9]+|[{CJK}]|[^\W_a-z0-9{CJK}]+")


def rouge_words(text: str) -> list[str]:
    """Return what is counted: runs of Latin letters and digits, Chinese characters one by one, other letters in runs.

    English is cut as the original script does, without stemming.

    >>> rouge_words("We train BERT-base on 3 tasks."), rouge_words("基于BERT的方法")
    (['we', 'train', 'bert', 'base', 'on', '3', 'tasks'], ['基', '于', 'bert', '的', '方', '法'])
    """
    return _WORD.findall(text.lower())


def rouge_rows(summaries: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the three variants of each row, from 0 to 1, float64, (rows, 3).

    Of several references the one with the best ROUGE-1 counts, for all three.

    Source: Lin (2004), ROUGE: a package for automatic evaluation of summaries, sections 2 and 3; the best reference:
    Cachola et al. (2020), TLDR: extreme summarization of scientific documents, section 4.

    Args:
        summaries: A text a row.
        references: At least one text a row.
    """
    rows = np.zeros((len(summaries), len(VARIANTS)))
    for row, (summary, texts) in enumerate(zip(summaries, references, strict=True)):
        said = rouge_words(summary)
        rows[row] = max(_against(said, rouge_words(text)) for text in texts)
    return rows


def _against(said: Sequence[str], wanted: Sequence[str]) -> tuple[float, float, float]:
    return (_shared_runs(said, wanted, 1), _shared_runs(said, wanted, 2), _subsequence(said, wanted))


def _shared_runs(said: Sequence[str], wanted: Sequence[str], length: int) -> float:
    ours, theirs = (
        Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))
        for words in (said, wanted)
    )
    return 2 * (ours & theirs).total() / max(ours.total() + theirs.total(), 1)


def _subsequence(said: Sequence[str], wanted: Sequence[str]) -> float:
    return 2 * common_subsequence(said, wanted) / max(len(said) + len(wanted), 1)


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest row of words that both hold in this order, with gaps.

    >>> common_subsequence("police kill the gunman".split(), "police killed the gunman".split())
    3
    """
    numbers = {word: number for number, word in enumerate(dict.fromkeys(other))}
    places = np.array([numbers[word] for word in other], np.int64)
    longest = np.zeros(len(other) + 1, np.int64)
    for word in one:
        if word in numbers:
            longer = np.where(places == numbers[word], longest[:-1] + 1, longest[1:])
            longest[1:] = np.maximum.accumulate(np.maximum(longer, longest[1:]))
    return int(longest[-1])
