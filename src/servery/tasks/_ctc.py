"""From a logit of every symbol in every frame to the symbols that were said, and when.

A frame says one symbol or the blank, the first of them. Repeats of a symbol are one, and blanks part two of a kind.

Source: Graves, Fernandez, Gomez, Schmidhuber (2006), Connectionist temporal classification.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

BLANK = 0
"""Place of the symbol that stands for nothing."""
LEAST_CHANCE = 1e-4
"""A beam does not follow symbols below this chance in a frame."""
NEVER = -1e30
"""Stands for the logarithm of 0 where sums of infinities would be no numbers."""


@dataclass(frozen=True)
class Heard:
    """A symbol, the frames in which it stands, and the logarithm of its chance in the first of them."""

    symbol: int
    first: int
    last: int
    log_chance: float


def log_chances(logits: np.ndarray) -> np.ndarray:
    """Return the logarithm of each symbol's chance, float64, (frames, 1 + symbols)."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def best_path(chances: np.ndarray) -> list[Heard]:
    """Return the best symbol of each frame, repeats joined, blanks left out.

    What it says of the first frames does not depend on the later ones.

    Source: as above, section 3.2.

    Args:
        chances: Logarithms, (frames, 1 + symbols).

    >>> frames = np.log(np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]]))
    >>> [(found.first, found.last) for found in best_path(frames)]
    [(0, 1), (3, 3)]
    """
    return _joined(chances.argmax(axis=1), chances)


def beam_search(chances: np.ndarray, width: int) -> list[Heard]:
    """Return the likeliest symbols, the chances of all their paths added up, with the best of these paths.

    Source: Hannun, Maas, Jurafsky, Ng (2014), First-pass large vocabulary continuous speech recognition using
    bi-directional recurrent DNNs, algorithm 1, without a language model.

    Args:
        chances: Logarithms, (frames, 1 + symbols).
        width: Prefixes that are kept from frame to frame.
    """
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, NEVER)}
    for frame in chances:
        likely = np.flatnonzero(frame > np.log(LEAST_CHANCE)).tolist()
        grown: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [NEVER, NEVER])
        for prefix, (blank, symbol) in beams.items():
            whole = _added(blank, symbol)
            for place in likely:
                chance = float(frame[place])
                if place == BLANK:
                    _add(grown[prefix], 0, whole + chance)
                elif prefix and place == prefix[-1]:
                    _add(grown[prefix], 1, symbol + chance)
                    _add(grown[(*prefix, place)], 1, blank + chance)
                else:
                    _add(grown[(*prefix, place)], 1, whole + chance)
        best = sorted(grown.items(), key=lambda item: -_added(*item[1]))[:width]
        beams = {prefix: (blank, symbol) for prefix, (blank, symbol) in best}
    return aligned(chances, next(iter(beams)))


def aligned(chances: np.ndarray, symbols: tuple[int, ...]) -> list[Heard]:
    """Return the best frames for given symbols (Viterbi).

    Args:
        chances: Logarithms, (frames, 1 + symbols).
        symbols: Without blanks; they fit into the frames.
    """
    states = np.full(2 * len(symbols) + 1, BLANK)
    states[1::2] = symbols
    # A symbol may follow the one before it without a blank, unless they are of a kind.
    may_skip = np.zeros(len(states), dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(len(states), NEVER)
    score[:2] = chances[0, states[:2]]
    steps = np.zeros((len(chances), len(states)), np.int8)
    for frame in range(1, len(chances)):
        one = np.concatenate([[NEVER], score[:-1]])
        two = np.where(may_skip, np.concatenate([[NEVER, NEVER], score[:-2]])[: len(states)], NEVER)
        choices = np.stack([score, one, two])
        steps[frame] = choices.argmax(axis=0)
        score = choices.max(axis=0) + chances[frame, states]
    place = len(states) - 1 if len(states) == 1 or score[-1] >= score[-2] else len(states) - 2
    path = np.zeros(len(chances), np.int64)
    for frame in range(len(chances) - 1, -1, -1):
        path[frame] = states[place]
        place -= int(steps[frame, place])
    return _joined(path, chances)


def _joined(path: np.ndarray, chances: np.ndarray) -> list[Heard]:
    if not len(path):
        return []
    starts = np.flatnonzero(np.append(True, path[1:] != path[:-1]))
    ends = np.append(starts[1:], len(path)) - 1
    return [
        Heard(int(path[first]), int(first), int(last), float(chances[first, path[first]]))
        for first, last in zip(starts, ends, strict=True)
        if path[first] != BLANK
    ]


def _added(one: float, other: float) -> float:
    high, low = (one, other) if one > other else (other, one)
    return high + math.log1p(math.exp(low - high))


def _add(chances: list[float], place: int, chance: float) -> None:
    chances[place] = _added(chances[place], chance)
