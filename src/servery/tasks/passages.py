"""Summaries made of pieces of a text: which pieces go together, and how they are joined."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servery.metrics.rouge import CJK
from servery.tasks.written import Passage

SPACELESS_FROM = "\u2e80"
"""From here on characters are of scripts that are written without spaces."""
_STOPS = ".!?。！？…"
_WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+(?:['’.-][^\W{CJK}]+)*")


def best_apart(passages: Sequence[Passage], most: int) -> list[Passage]:
    """Return the best pieces that do not overlap, in the order of the text.

    Args:
        passages: The best first.
        most: At most so many.
    """
    return within(passages, most, sum(word_count(passage.text) for passage in passages))


def joined_passages(passages: Sequence[Passage]) -> str:
    """Return pieces as one text; those that end no sentence are parted by semicolons.

    >>> joined_passages([Passage("It works.", 0, 9, 1.0), Passage("fast", 20, 24, 0.5), Passage("safe", 30, 34, 0.5)])
    'It works. fast; safe'
    """
    text = ""
    for passage in passages:
        if text:
            is_spaceless = max(text[-1], passage.text[0]) >= SPACELESS_FROM
            text += "" if text[-1] in _STOPS else "；" if is_spaceless else ";"
            text += "" if is_spaceless else " "
        text += passage.text
    return text


def word_count(text: str) -> int:
    """Return how long a text is: in words, and Chinese characters each as one.

    >>> word_count("Self-attention works well."), word_count("基于BERT的方法。")
    (3, 6)
    """
    return sum(1 for _ in _WORD.finditer(text))


def within(passages: Sequence[Passage], most: int, longest: int) -> list[Passage]:
    """Return the best pieces that do not overlap and together have at most `longest` words, in the order of the text.

    Args:
        passages: The best first.
        most: At most so many pieces.
        longest: At most so many words.
    """
    chosen: list[Passage] = []
    room = longest
    for passage in passages:
        is_apart = all(passage.end <= other.start or other.end <= passage.start for other in chosen)
        if is_apart and len(chosen) < most and (length := word_count(passage.text)) <= room:
            chosen.append(passage)
            room -= length
    return sorted(chosen, key=lambda passage: passage.start)


def shortened(passage: Passage, longest: int) -> Passage:
    """Return the beginning of a piece, at most `longest` words of it.

    >>> shortened(Passage("We train a model.", 5, 22, 0.5), 2)
    Passage(text='We train', start=5, end=13, score=0.5)
    """
    ends = [match.end() for match in _WORD.finditer(passage.text)]
    text = passage.text[: ends[min(longest, len(ends)) - 1]] if ends else passage.text
    return Passage(text, passage.start, passage.start + len(text), passage.score)
