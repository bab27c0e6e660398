"""What stands around each token of a text, hashed, and what was learned to guess from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from servery.models.document import Document

BITS = 17
TABLE = 1 << BITS
"""What stands around a token is hashed to so many numbers; few of those that matter fall together."""
ROLES = ("begin", "end", "member")
"""What is guessed of each token: how good a summary that begins with it can be, one that ends with it, and whether it
stands in the reference.
"""
_EDGE, _SENTENCE_EDGE = np.uint32(1), np.uint32(2)
_MIX, _MORE = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)


def hashed(kind: int, *parts: np.ndarray) -> np.ndarray:
    """Return a number below TABLE for each row of parts, int32, (rows,).

    Args:
        kind: What the parts mean; the same parts of another kind have another number.
        parts: uint32, (rows,) each.
    """
    mixed = np.full(len(parts[0]), kind + 1, np.uint32) * _MORE
    for part in parts:
        mixed = (mixed ^ part) * _MIX
        mixed ^= mixed >> np.uint32(15)
    mixed *= _MORE
    return np.asarray(mixed >> np.uint32(32 - BITS), np.int32)


def contexts(document: Document) -> dict[str, np.ndarray]:
    """Return for each role what stands around each token, as hashes, int32, (tokens, kinds of context)."""
    here, sentence, count = document.numbers, document.sentence, len(document)
    is_first = np.diff(sentence, prepend=-1) > 0
    is_last = np.append(is_first[1:], True)
    before = moved(here, 1)
    before[is_first] = _SENTENCE_EDGE
    earlier, after, later = moved(here, 2), moved(here, -1), moved(here, -2)
    place = np.minimum(sentence, 6).astype(np.uint32)
    from_end = np.minimum(sentence[-1] - sentence, 4).astype(np.uint32)
    _, first, which, times = np.unique(here, return_index=True, return_inverse=True, return_counts=True)
    often = np.minimum(times, 5)[which.reshape(-1)].astype(np.uint32)
    early = (5 * first[which.reshape(-1)] // max(count, 1)).astype(np.uint32)
    around = [(here,), (before, here), (here, after), (before, here, after)]
    kinds: dict[str, list[tuple[np.ndarray, ...]]] = {
        "begin": [
            *around,
            *((before,), (earlier, before), (earlier, before, here), (earlier, before, here, after)),
            *((place,), (from_end,), (place, is_first.astype(np.uint32)), (often, often)),
        ],
        "end": [
            *around,
            *((earlier, before, here), (after,), (after, later)),
            *((place,), (from_end,), (place, is_last.astype(np.uint32)), (often, often)),
        ],
        "member": [
            *around,
            *((often, place), (often, early), (here, often), (place,), (from_end,)),
        ],
    }
    return {
        role: np.stack(
            [hashed(100 * number + kind, *parts) for kind, parts in enumerate(kinds[role])], axis=1
        )
        for number, role in enumerate(ROLES)
    }


def moved(numbers: np.ndarray, by: int) -> np.ndarray:
    """Return for each token the number of the one so many places before it, or after it where `by` is below 0."""
    there = np.full(len(numbers), _EDGE, np.uint32)
    if by > 0:
        there[by:] = numbers[:-by]
    else:
        there[:by] = numbers[-by:]
    return there


@dataclass(frozen=True)
class TokenTables:
    """What was learned about tokens, by their hashes.

    Attributes:
        weights: Of the contexts of each role, float32, (3, TABLE).
        biases: float32, (3,).
        rarity: Inverse document frequency, float32, (TABLE,).
        cohesion: How much two neighbours belong together, float32, (TABLE,).
    """

    weights: np.ndarray
    biases: np.ndarray
    rarity: np.ndarray
    cohesion: np.ndarray

    def guesses(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what is guessed of each token from its contexts, by role, float32, (tokens,)."""
        return {
            role: self.weights[number][found[role]].sum(axis=1) + self.biases[number]
            for number, role in enumerate(ROLES)
        }
