"""ROUGE against the package rouge-score and against the examples of its paper."""

import random

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from servery.metrics.rouge import common_subsequence, rouge_rows, rouge_words

WORDS = [
    "we",
    "We",
    "train",
    "BERT-base",
    "on",
    "3",
    "tasks,",
    "it",
    "isn't",
    "fast.",
    "(and",
    "good)",
    "—",
    "F1",
]


def test_english_scores_are_those_of_rouge_score() -> None:
    chance = random.Random(0)
    texts = [[" ".join(chance.choices(WORDS, k=chance.randint(1, 25))) for _ in range(2)] for _ in range(60)]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    theirs = [[score.fmeasure for score in scorer.score(right, said).values()] for said, right in texts]
    ours = rouge_rows([said for said, _ in texts], [[right] for _, right in texts])
    assert ours == pytest.approx(np.array(theirs))


def test_the_example_of_the_paper() -> None:
    """Lin 2004, section 3.1: ROUGE-L of S2 is 3/4, of S3 2/4, while both share as many pairs with S1."""
    reference = "police killed the gunman"
    said = ["police kill the gunman", "the gunman kill police"]
    scores = rouge_rows(said, [[reference]] * 2)
    assert scores[:, 2].tolist() == [0.75, 0.5]
    assert scores[0, 1] == scores[1, 1]


def test_chinese_is_counted_by_character_and_latin_words_within_it_as_words() -> None:
    assert rouge_words("一种BERT模型，v2。") == ["一", "种", "bert", "模", "型", "v2"]
    assert rouge_rows(["基于注意力的模型"], [["基于图的模型"]])[0, 2] == pytest.approx(2 * 5 / 14)


def test_the_reference_with_the_best_rouge_1_counts_for_all() -> None:
    both = ["a b x y", "b a c d"]
    found = rouge_rows(["a b c d"], [both])[0]
    assert found.tolist() == rouge_rows(["a b c d"], [both[1:]])[0].tolist()
    assert found.tolist() != [1.0, 1.0, 1.0]


def test_other_scripts_are_words_and_nothing_shares_nothing() -> None:
    assert rouge_rows(["модель учится", "", "...", "cat"], [["модель"], ["a"], ["a"], ["犬"]])[
        :, 0
    ].tolist() == [
        pytest.approx(2 / 3),
        0,
        0,
        0,
    ]
    assert common_subsequence([], ["a"]) == common_subsequence(["a"], []) == 0
