"""Chains of tags: the best one, how likely a span in it is, and how likely the right one was; plain numpy.

The tags of n labels are 0 for outside and, for label k, 1 + 2k where a span of it begins and 2 + 2k where it goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

NEVER = -1e9
"""Potential of what cannot be: a span that goes on without having begun."""
ROWS_AT_ONCE = 64
PLACES = 2
"""Columns of the outputs before the tags: where a word starts and where it ends."""


def tag_count(label_count: int) -> int:
    """Return the number of tags.

    >>> tag_count(2)
    5
    """
    return 1 + 2 * label_count


@dataclass(frozen=True)
class Chains:
    """Rows of words of like lengths.

    Attributes:
        rows: Which of all rows they are, int64, (rows,).
        places: Start and end of each word in its text, int64, (rows, length, 2).
        lengths: Words of each row, int64, (rows,).
        emissions: How each word likes each tag, float64, (rows, length, tags).
        transitions: How a tag likes the one before it, float64, (tags before, tags).
    """

    rows: np.ndarray
    places: np.ndarray
    lengths: np.ndarray
    emissions: np.ndarray
    transitions: np.ndarray

    def best(self, outside_penalty: float = 0.0) -> np.ndarray:
        """Return the most likely tags of each row, int64, (rows, length); 0 behind its end.

        Source: Viterbi (1967), Error bounds for convolutional codes, section V.

        Args:
            outside_penalty: Is taken from what speaks for a word outside of spans: more spans are said.
        """
        count, length, tags = self.emissions.shape
        penalties = np.where(np.arange(tags) == 0, outside_penalty, 0.0)
        score = self.emissions[:, 0] + _first(tags) - penalties
        before = np.zeros((count, length, tags), np.int64)
        for place in range(1, length):
            paths = score[:, :, None] + self.transitions  # (rows, tags before, tags)
            before[:, place] = paths.argmax(axis=1)
            onward = paths.max(axis=1) + self.emissions[:, place] - penalties
            score = np.where(self._reach(place), onward, score)
        chain = np.zeros((count, length), np.int64)
        tag, every = score.argmax(axis=1), np.arange(count)
        for place in range(length - 1, -1, -1):
            is_there = place < self.lengths
            chain[:, place] = np.where(is_there, tag, 0)
            tag = np.where(is_there, before[every, place, tag], tag)
        return chain

    def softened(self, temperature: float) -> Chains:
        """Return the same with all potentials divided."""
        # What cannot be stays as good as impossible at any temperature that is tried.
        divided = self.emissions / temperature, self.transitions / temperature
        return Chains(self.rows, self.places, self.lengths, *divided)

    def ahead(self) -> np.ndarray:
        """Return the log-sum over all chains up to each word that end in each tag, (rows, length, tags)."""
        sums = np.empty_like(self.emissions)
        sums[:, 0] = self.emissions[:, 0] + _first(sums.shape[2])
        for place in range(1, sums.shape[1]):
            sums[:, place] = self.emissions[:, place] + _log_sum(
                sums[:, place - 1, :, None] + self.transitions, 1
            )
            sums[:, place] = np.where(self._reach(place), sums[:, place], sums[:, place - 1])
        return sums

    def behind(self) -> np.ndarray:
        """Return the log-sum over all chains from behind each word on, given its tag, (rows, length, tags)."""
        sums = np.zeros_like(self.emissions)
        for place in range(sums.shape[1] - 2, -1, -1):
            later = self.emissions[:, place + 1] + sums[:, place + 1]  # (rows, tags)
            found = _log_sum(self.transitions + later[:, None, :], 2)
            sums[:, place] = np.where(self._reach(place + 1), found, 0.0)
        return sums

    def loss(self, tags: np.ndarray) -> float:
        """Return the summed -log of the likelihood of these chains.

        Source: Lafferty, McCallum, Pereira (2001), Conditional random fields, section 3.

        Args:
            tags: int64, (rows, length).
        """
        is_word = np.arange(tags.shape[1]) < self.lengths[:, None]  # (rows, length)
        emitted = np.take_along_axis(self.emissions, tags[:, :, None], 2)[:, :, 0] * is_word
        passed = self.transitions[tags[:, :-1], tags[:, 1:]] * is_word[:, 1:]
        total = _log_sum(self.ahead()[:, -1], 1)
        # A row without words has one chain, the empty one.
        total = np.where(self.lengths > 0, total, 0.0)
        return float((total - emitted.sum(axis=1) - passed.sum(axis=1)).sum())

    def _reach(self, place: int) -> np.ndarray:
        return (place < self.lengths)[:, None]


def chains_of(
    outputs: Sequence[np.ndarray] | np.ndarray, label_count: int, temperature: float
) -> Iterator[Chains]:
    """Read a model's outputs, rows of like lengths together.

    Args:
        outputs: Of each row (tags + words, 2 + tags): one line a tag, the transitions from it behind two zeros; then
            one line a word, its place in the text and its emissions. A line whose word is empty is padding.
        label_count: Number of labels.
        temperature: Divides all potentials.
    """
    tags = tag_count(label_count)
    lengths = np.array([int((row[tags:, 1] > row[tags:, 0]).sum()) for row in outputs], np.int64)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), ROWS_AT_ONCE):
        rows = order[start : start + ROWS_AT_ONCE]
        longest = max(int(lengths[rows].max()), 1)
        words = np.zeros((len(rows), longest, PLACES + tags))
        for number, row in enumerate(rows):
            words[number, : lengths[row]] = outputs[row][tags : tags + lengths[row]]
        transitions = np.asarray(outputs[rows[0]][:tags, PLACES:], np.float64) / temperature
        yield Chains(
            rows,
            words[:, :, :PLACES].astype(np.int64),
            lengths[rows],
            words[:, :, PLACES:] / temperature,
            np.where(_can_follow(tags), transitions, NEVER),
        )


def spans_in(tags: np.ndarray) -> list[tuple[int, int, int]]:
    """Return (first word, last word, label) of each span of a chain.

    >>> spans_in(np.array([0, 1, 2, 3, 0]))
    [(1, 2, 0), (3, 3, 1)]
    """
    spans: list[tuple[int, int, int]] = []
    for place, tag in enumerate(tags.tolist()):
        if tag % 2 == 1:
            spans.append((place, place, (tag - 1) // 2))
        elif tag and spans:
            spans[-1] = (spans[-1][0], place, spans[-1][2])
    return spans


def span_scores(chains: Chains, found: Sequence[Sequence[tuple[int, int, int]]]) -> list[list[float]]:
    """Return how likely it is, over all chains of a row, that exactly this span stands there.

    Source: Culotta and McCallum (2004), Confidence estimation for information extraction, section 3.
    """
    ahead, behind = chains.ahead(), chains.behind()
    totals = _log_sum(ahead[:, -1], 1)
    scores: list[list[float]] = []
    for row, spans in enumerate(found):
        emissions, length = chains.emissions[row], int(chains.lengths[row])
        scores.append([])
        for first, last, label in spans:
            begin, inside = 1 + 2 * label, 2 + 2 * label
            path = ahead[row, first, begin]
            if last > first:
                path += chains.transitions[begin, inside] + emissions[first + 1 : last + 1, inside].sum()
                path += (last - first - 1) * chains.transitions[inside, inside]
            if last + 1 < length:
                onward = chains.transitions[inside if last > first else begin].copy()
                onward[inside] = NEVER  # else it would be a longer span
                path += _log_sum(onward + emissions[last + 1] + behind[row, last + 1], 0)
            scores[-1].append(float(np.exp(min(path - totals[row], 0.0))))
    return scores


def tags_of(spans: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the tags of words, int64, (words,): a word belongs to the span that it overlaps first.

    Args:
        spans: int64, (spans, 3): start, end, label; in order, none over another.
        places: int64, (words, 2): start and end of each word.

    >>> tags_of(np.array([[0, 10, 0]]), np.array([[0, 3], [4, 10], [11, 13]])).tolist()
    [1, 2, 0]
    """
    tags = np.zeros(len(places), np.int64)
    for start, end, label in spans.tolist():
        within = np.flatnonzero((places[:, 0] < end) & (places[:, 1] > start) & (tags == 0))
        tags[within] = 2 + 2 * label
        tags[within[:1]] = 1 + 2 * label
    return tags


def _can_follow(tags: int) -> np.ndarray:
    """Return which tag may follow which, bool, (tags before, tags)."""
    places = np.arange(tags)
    goes_on = (places % 2 == 0) & (places > 0)
    same_span = (places[:, None] == places) | (places[:, None] == places - 1)
    return np.asarray(~goes_on | same_span)


def _first(tags: int) -> np.ndarray:
    """Return what keeps a chain from beginning within a span, (tags,)."""
    return np.where(_can_follow(tags)[0], 0.0, NEVER)


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    largest = values.max(axis=axis, keepdims=True)
    return np.asarray(np.log(np.exp(values - largest).sum(axis=axis)) + largest.squeeze(axis))
