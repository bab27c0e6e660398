"""Which words are taken for which, which are missed and which are heard where none was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from servery.metrics.transcripts import aligned_words

Confusion = tuple[str, str, int]
"""What was said, what was heard, and how often; an empty text stands for nothing."""


def word_confusions(pairs: Iterable[tuple[str, str]]) -> tuple[list[Confusion], Counter[str]]:
    """Return the mistakes, the most frequent first, and how often each word was said.

    Args:
        pairs: What was said and what was heard, one pair a recording.

    >>> word_confusions([("one two", "one too"), ("two", "too")])[0]
    [('two', 'too', 2)]
    """
    mistakes: Counter[tuple[str, str]] = Counter()
    said: Counter[str] = Counter()
    for truth, heard in pairs:
        for one, other in aligned_words(truth, heard):
            said[one] += bool(one)
            if one != other:
                mistakes[one, other] += 1
    ranked = sorted(mistakes.items(), key=lambda item: (-item[1], item[0]))
    return [(one, other, count) for (one, other), count in ranked], +said
