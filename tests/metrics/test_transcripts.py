"""Edits between what was said and what was heard, by hand and against a second implementation."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from servery.metrics.transcripts import Edits, aligned_words, character_edits, word_edits, words_of
from servery.metrics.word_confusions import word_confusions


def distance(one: list[str], other: list[str]) -> int:
    """Levenshtein's, by Wagner and Fischer (1974)."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


def test_the_fewest_edits_are_those_of_a_second_implementation() -> None:
    chance = np.random.default_rng(0)
    for _ in range(200):
        said, heard = (list(chance.choice(list("abc"), size=chance.integers(0, 8))) for _ in range(2))
        edits = word_edits(" ".join(said), " ".join(heard))
        assert edits.errors == distance(said, heard)
        assert edits.units - edits.deletions + edits.insertions == len(heard)
        assert character_edits(" ".join(said), " ".join(heard)).errors == distance(said, heard)


@pytest.mark.parametrize(
    ("said", "heard", "edits"),
    [
        ("", "", Edits(0, 0, 0, 0)),
        ("", "a b", Edits(0, 0, 0, 2)),
        ("a b", "", Edits(2, 0, 2, 0)),
        ("打开客厅的灯", "打开卧室的灯", Edits(6, 2, 0, 0)),
    ],
)
def test_nothing_said_nothing_heard_and_chinese(said: str, heard: str, edits: Edits) -> None:
    assert word_edits(said, heard) == edits


def test_words_stand_side_by_side() -> None:
    assert aligned_words("a b", "") == [("a", ""), ("b", "")]
    assert aligned_words("", "a") == [("", "a")]
    assert aligned_words("one two three", "two three four") == [
        ("one", ""),
        ("two", "two"),
        ("three", "three"),
        ("", "four"),
    ]
    assert words_of("  on\tthe 桌 ") == ["on", "the", "桌"]


def test_mistakes_are_counted_by_what_was_said_and_heard() -> None:
    mistakes, said = word_confusions([("one two", "one to"), ("two", "to"), ("two one", "two")])
    assert mistakes == [("two", "to", 2), ("one", "", 1)]
    assert said == Counter({"two": 3, "one": 2})
