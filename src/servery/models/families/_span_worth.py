"""How good a summary every piece of a training text would be: the mean of its ROUGE-1 and ROUGE-L."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from servery.models.document import Document

MOST_WORDS = 3_000
"""Of a text; what stands after them is worth nothing in training."""
MOST_REFERENCES = 3


class SpanWorth:
    """All pieces of one document beside its references.

    Args:
        document: The text.
        references: What it is to be summarized as; the best one counts.
        longest: Words of the longest piece that is compared; longer ones are taken as holding nothing new.
    """

    def __init__(self, document: Document, references: Sequence[str], longest: int) -> None:
        self.document, self.longest = document, longest
        words = document.numbers[document.is_word][:MOST_WORDS]
        wanted = [Document.of(text) for text in references[:MOST_REFERENCES]]
        self._numbers = [other.numbers[other.is_word] for other in wanted]
        self._hits = [_hits(words, other, longest) for other in self._numbers]  # (words, longest)

    def of(self, firsts: np.ndarray, lasts: np.ndarray) -> np.ndarray:
        """Return how good each piece is, from 0 to 1, float64, (spans,)."""
        before = self.document.words_before
        first, words = before[firsts], before[lasts + 1] - before[firsts]
        inside = (words > 0) & (first < MOST_WORDS)
        worth = np.zeros(len(firsts))
        if inside.any():
            column = np.minimum(words[inside], self.longest) - 1
            for wanted, hits in zip(self._numbers, self._hits, strict=True):
                found = hits[first[inside], column] / np.maximum(words[inside] + len(wanted), 1)
                worth[inside] = np.maximum(worth[inside], found)
        return worth

    def of_tokens(self) -> dict[str, np.ndarray]:
        """Return what each token is worth in each role, float64, (tokens,).

        Of beginning and end it is the best piece of its sentence that begins, or ends, with it; of a member, whether a
        reference holds it.
        """
        document = self.document
        places = np.arange(len(document))
        last = np.searchsorted(document.sentence, document.sentence, side="right") - 1
        begin, end = np.zeros(len(document)), np.zeros(len(document))
        for step in range(min(int((last - places).max(initial=0)) + 1, 2 * self.longest)):
            firsts = places[places + step <= last]
            worth = self.of(firsts, firsts + step)
            begin[firsts] = np.maximum(begin[firsts], worth)
            end[firsts + step] = np.maximum(end[firsts + step], worth)
        held = np.isin(document.numbers, np.concatenate(self._numbers)) & document.is_word
        return {"begin": begin, "end": end, "member": held.astype(np.float64)}


def _hits(words: np.ndarray, wanted: np.ndarray, longest: int) -> np.ndarray:
    """Return words shared with the reference plus the longest common subsequence, of each piece, (words, lengths).

    All pieces of one length are compared together: those that begin with each word grow by one word a step.
    """
    count = len(words)
    found = np.zeros((count, longest))
    too_early = _counts_until(words, wanted)
    starts = np.arange(count)
    shared = np.zeros(count)
    row = np.zeros((count, len(wanted) + 1), np.int16)
    for step in range(longest):
        going = count - step
        if going <= 0:
            found[:, step] = found[:, step - 1]
            continue
        new = words[step:]  # (going,)
        shared[:going] += starts[:going] > too_early[step:]
        old = row[:going]
        longer = np.where(wanted[None, :] == new[:, None], old[:, :-1] + 1, old[:, 1:])
        old[:, 1:] = np.maximum.accumulate(np.maximum(longer, old[:, 1:]), axis=1)
        found[:, step] = shared + row[:, -1]
    return found


def _counts_until(words: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return for each word the last place from which a piece would hold it more often than the reference does.

    A word that the reference lacks counts for no piece.
    """
    values, counts = np.unique(wanted, return_counts=True)
    times = dict(zip(values.tolist(), counts.tolist(), strict=True))
    seen: dict[int, list[int]] = {}
    until = np.full(len(words), len(words))
    for place, word in enumerate(words.tolist()):
        if word in times:
            before = seen.setdefault(word, [])
            until[place] = before[-times[word]] if len(before) >= times[word] else -1
            before.append(place)
    return until
