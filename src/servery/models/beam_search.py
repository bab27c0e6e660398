"""Writes the likeliest rows of tokens: beam search over whatever can begin and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

NEVER = np.float32(-1e30)
"""Score of what must not be written."""


class Steps(Protocol):
    """Rows that are being written side by side, one token further with each step."""

    def step(self, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log-probabilities, float32, (rows, choices), and looks, float32, (rows, tokens read).

        Args:
            said: The last choice of each row, int64, (rows,).
        """

    def keep(self, rows: np.ndarray) -> None:
        """Go on with these rows, in this order; one may come twice.

        All rows of a text are kept, each in the place of one of the same text, or none: where as many are kept as there
        were, what each place has read stays as it was.
        """


@dataclass(frozen=True)
class Rules:
    """How a search goes.

    Attributes:
        begin: What stands before the first choice.
        end: The choice that ends a row.
        never: Choices that are not to be made.
        beam_size: Rows followed for each text.
        length_penalty: 0 prefers short rows, 1 hardly minds the length.
    """

    begin: int
    end: int
    never: tuple[int, ...] = ()
    beam_size: int = 5
    length_penalty: float = 1.0


@dataclass(frozen=True)
class Found:
    """One row that was written.

    Attributes:
        choices: Without the end.
        log_probability: Of the row with its end.
        score: The log-probability, made fair to long rows; the larger, the better.
        looks: Where each choice looked, float32, (choices, tokens read).
        is_whole: Whether it came to its end; false where the room did not suffice.
    """

    choices: tuple[int, ...]
    log_probability: float
    score: float
    looks: np.ndarray
    is_whole: bool


@dataclass
class _Text:
    """The search for one text: what is being written, and what is finished."""

    number: int
    room: int
    scores: np.ndarray
    rows: list[tuple[int, ...]]
    looks: list[list[np.ndarray]]
    found: list[Found] = field(default_factory=list)


def search(steps: Steps, rooms: Sequence[int], rules: Rules) -> list[list[Found]]:
    """Return the rows found for each text, the best first, at least one each.

    The texts are searched together; `steps` must hold `beam_size` rows for each, side by side. A text is done when as
    many rows as the beam is wide have come to their end, or its room is used up.

    Source: Wu et al. (2016), Google's neural machine translation system, section 7 (length penalty, equation 14).

    Args:
        steps: The rows before their first step.
        rooms: Most choices for each text.
        rules: How to search.
    """
    width = rules.beam_size
    start = np.full(width, NEVER, np.float32)
    start[0] = 0.0  # all rows of a text are the same before the first choice
    texts = [
        _Text(n, room, start.copy(), [()] * width, [[] for _ in range(width)]) for n, room in enumerate(rooms)
    ]
    results: list[list[Found]] = [[] for _ in texts]
    said = np.full(len(texts) * width, rules.begin, np.int64)
    while texts:
        chances, looks = steps.step(said)
        chances[:, list(rules.never)] = NEVER
        kept: list[int] = []
        going: list[_Text] = []
        for place, text in enumerate(texts):
            first = place * width
            parents = _advance(text, chances[first : first + width], looks[first : first + width], rules)
            if parents is None:
                results[text.number] = sorted(text.found, key=lambda found: -found.score)
            else:
                going.append(text)
                kept += [first + parent for parent in parents]
        texts = going
        if texts:
            steps.keep(np.array(kept, np.int64))
            said = np.array([row[-1] for text in texts for row in text.rows], np.int64)
    return results


def _advance(text: _Text, chances: np.ndarray, looks: np.ndarray, rules: Rules) -> list[int] | None:
    """Make each row one choice longer; return which rows the new ones come from, None when the text is done."""
    width, choices = chances.shape
    totals = (text.scores[:, None] + chances).ravel()
    most = min(2 * width, totals.size)
    best = np.argpartition(-totals, most - 1)[:most]
    best = best[np.lexsort((best, -totals[best]))]
    rows: list[tuple[int, ...]] = []
    scores: list[float] = []
    traces: list[list[np.ndarray]] = []
    parents: list[int] = []
    for rank, place in enumerate(best.tolist()):
        parent, choice = divmod(place, choices)
        total = float(totals[place])
        if choice == rules.end:
            # Of ends only those among the best rows count, or a search would end with poor ones.
            if rank < width and total > NEVER / 2:
                text.found.append(_found(text, parent, total, rules, True))
        elif len(rows) < width:
            rows.append((*text.rows[parent], choice))
            scores.append(total)
            traces.append([*text.looks[parent], looks[parent]])
            parents.append(parent)
    text.rows, text.scores, text.looks = rows, np.array(scores, np.float32), traces
    is_full = bool(rows) and len(rows[0]) >= text.room
    if len(text.found) < width and not is_full and len(rows) == width:
        return parents
    if not text.found:
        totals = text.scores.tolist()
        text.found += [_found(text, row, totals[row], rules, False) for row in range(len(totals))]
    return None


def _found(text: _Text, row: int, total: float, rules: Rules, is_whole: bool) -> Found:
    choices = text.rows[row]
    traces = text.looks[row]
    looks = np.stack(traces) if traces else np.zeros((0, 0), np.float32)
    length = len(choices) + is_whole
    score = total / ((5 + length) / 6) ** rules.length_penalty
    return Found(choices, total, score, looks, is_whole)
