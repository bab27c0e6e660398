"""From frames to symbols: best path, beam and alignment, against every path of small cases."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby, product

import numpy as np
import pytest

from servery.tasks._ctc import BLANK, aligned, beam_search, best_path, log_chances


def every_text(chances: np.ndarray) -> dict[tuple[int, ...], float]:
    """The chance of every text: the sum over all paths."""
    texts: dict[tuple[int, ...], float] = defaultdict(float)
    for path in product(range(chances.shape[1]), repeat=len(chances)):
        text = tuple(symbol for symbol, _ in groupby(path) if symbol != BLANK)
        texts[text] += float(np.exp(sum(chances[t, symbol] for t, symbol in enumerate(path))))
    return texts


def random_chances(seed: int, frames: int = 5, symbols: int = 3) -> np.ndarray:
    return log_chances(np.random.default_rng(seed).normal(0, 1.5, (frames, symbols)))


@pytest.mark.parametrize("seed", range(20))
def test_a_wide_beam_finds_the_likeliest_text_of_all(seed: int) -> None:
    chances = random_chances(seed)
    texts = every_text(chances)
    found = tuple(heard.symbol for heard in beam_search(chances, 200))
    assert texts[found] == pytest.approx(max(texts.values()))


def test_a_beam_may_hear_what_the_best_path_does_not() -> None:
    # Graves (2012), Supervised sequence labelling, section 7.4: the blank wins each frame, "a" wins the sum.
    chances = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    assert best_path(chances) == []
    assert [heard.symbol for heard in beam_search(chances, 4)] == [1]


@pytest.mark.parametrize("seed", range(20))
def test_an_alignment_is_the_best_of_all_paths_that_say_the_text(seed: int) -> None:
    chances = random_chances(seed)
    for text in ((), (1,), (1, 2), (2, 2), (1, 2, 1)):
        paths = [
            path
            for path in product(range(3), repeat=5)
            if tuple(symbol for symbol, _ in groupby(path) if symbol != BLANK) == text
        ]
        best = max(paths, key=lambda path: sum(chances[t, symbol] for t, symbol in enumerate(path)))
        heard = aligned(chances, text)
        assert tuple(found.symbol for found in heard) == text
        frames = {t for found in heard for t in range(found.first, found.last + 1)}
        assert frames == {t for t, symbol in enumerate(best) if symbol != BLANK}


def test_repeats_are_one_and_a_blank_parts_two_of_a_kind() -> None:
    path = [0, 1, 1, 0, 1, 2, 2]
    chances = np.full((7, 3), -5.0)
    chances[np.arange(7), path] = -0.1
    assert [(h.symbol, h.first, h.last) for h in best_path(chances)] == [(1, 1, 2), (1, 4, 4), (2, 5, 6)]
    assert [(h.symbol, h.first, h.last) for h in beam_search(chances, 8)] == [(1, 1, 2), (1, 4, 4), (2, 5, 6)]


def test_what_is_heard_first_does_not_depend_on_what_follows() -> None:
    chances = random_chances(7, frames=30)
    whole = best_path(chances)
    for frames in range(1, 30):
        part = best_path(chances[:frames])
        # The last symbol may go on.
        assert [(h.symbol, h.first) for h in part] == [(h.symbol, h.first) for h in whole if h.first < frames]


def test_chances_sum_to_one_whatever_the_logits() -> None:
    chances = log_chances(np.array([[1000.0, -1000.0], [3.0, 3.0]], np.float32))
    assert np.allclose(np.exp(chances).sum(axis=1), 1.0)
