"""Beam search over small models whose best rows can be worked out by hand or by trying all."""

import itertools
import math

import numpy as np
import pytest

from servery.models.beam_search import NEVER, Rules, search

BEGIN, END = 0, 1


class Chain:
    """Choices that depend on the one before only; row i of every text has its own table."""

    def __init__(self, tables: np.ndarray, beam_size: int) -> None:
        self.tables = np.repeat(np.log(tables), beam_size, axis=0).astype(np.float32)
        self.steps = 0

    def step(self, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.steps += 1
        rows = np.arange(len(said))
        looks = np.zeros((len(said), 3), np.float32)
        looks[:, self.steps % 3] = 1.0
        return self.tables[rows, said].copy(), looks

    def keep(self, rows: np.ndarray) -> None:
        self.tables = self.tables[rows]


def tables(texts: int, choices: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).dirichlet(np.full(choices, 0.4), (texts, choices))
    drawn[:, :, BEGIN] = 1e-30
    return drawn / drawn.sum(axis=2, keepdims=True)


def best_of_all(table: np.ndarray, longest: int, penalty: float) -> tuple[tuple[int, ...], float]:
    """Try every row that comes to its end."""
    found = []
    for length in range(longest + 1):
        for row in itertools.product(range(2, len(table)), repeat=length):
            whole = (BEGIN, *row, END)
            total = sum(math.log(table[a, b]) for a, b in itertools.pairwise(whole))
            found.append((total / ((5 + length + 1) / 6) ** penalty, row))
    score, row = max(found)
    return row, score


def test_a_greedy_row_takes_the_likeliest_choice_each_time() -> None:
    table = np.full((1, 4, 4), 1e-6)
    table[0, BEGIN, 2] = table[0, 2, 3] = table[0, 3, END] = 0.9
    (found,) = search(Chain(table, 1), [9], Rules(BEGIN, END, (BEGIN,), beam_size=1))
    assert found[0].choices == (2, 3)
    assert found[0].is_whole
    assert found[0].log_probability == pytest.approx(3 * math.log(0.9), abs=1e-5)


def test_a_beam_finds_the_row_that_a_greedy_search_misses() -> None:
    table = np.full((1, 4, 4), 1e-9)
    table[0, BEGIN, 2], table[0, BEGIN, 3] = 0.6, 0.4
    table[0, 2, END], table[0, 2, 2] = 0.5, 0.5
    table[0, 3, END] = 1.0
    rules = [Rules(BEGIN, END, (BEGIN,), width, length_penalty=0.0) for width in (1, 2)]
    greedy, beam = (search(Chain(table, rule.beam_size), [9], rule)[0] for rule in rules)
    assert greedy[0].choices[0] == 2
    assert beam[0].choices == (3,)
    assert math.exp(beam[0].log_probability) == pytest.approx(0.4, abs=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_rows(penalty: float) -> None:
    many = tables(20, 5, seed=1)
    rules = Rules(BEGIN, END, (BEGIN,), beam_size=16, length_penalty=penalty)
    results = search(Chain(many, 16), [5] * 20, rules)
    for table, found in zip(many, results, strict=True):
        row, score = best_of_all(table, 4, penalty)
        assert found[0].score >= score - 1e-4 or found[0].choices == row
        assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)


def test_texts_do_not_disturb_each_other() -> None:
    many = tables(7, 6, seed=2)
    rules = Rules(BEGIN, END, (BEGIN,), beam_size=3)
    together = search(Chain(many, 3), [3, 9, 5, 7, 4, 8, 6], rules)
    for place, room in enumerate([3, 9, 5, 7, 4, 8, 6]):
        (alone,) = search(Chain(many[place : place + 1], 3), [room], rules)
        assert [f.choices for f in alone] == [f.choices for f in together[place]]


def test_what_is_never_to_be_written_is_not_and_room_is_kept() -> None:
    table = np.full((1, 7, 7), 0.05)
    table[0, :, 2] = 0.7
    rules = Rules(BEGIN, END, (BEGIN, 2), beam_size=2)
    (found,) = search(Chain(table, 2), [6], rules)
    assert all(2 not in f.choices and len(f.choices) <= 6 for f in found)
    table[0, :, END] = 1e-30
    (cut,) = search(Chain(table, 2), [6], rules)
    assert not cut[0].is_whole
    assert len(cut[0].choices) == 6


def test_looks_follow_the_row_they_belong_to() -> None:
    (found,) = search(Chain(tables(1, 5, seed=3), 4), [6], Rules(BEGIN, END, (BEGIN,), beam_size=4))
    for f in found:
        assert f.looks.shape[0] == len(f.choices)
        assert [int(row.argmax()) for row in f.looks] == [(place + 1) % 3 for place in range(len(f.choices))]
    assert NEVER < -1e20
