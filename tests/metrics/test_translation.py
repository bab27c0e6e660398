"""BLEU and chrF against sacreBLEU, and that rows add up."""

import random

import numpy as np
import pytest
import sacrebleu

from servery.metrics.translation import overlap_counts

ENGLISH = [
    "I",
    "you",
    "Tom",
    "likes,",
    "doesn't",
    "tea!",
    "the",
    "3.5",
    "U.S.",
    "dog's",
    '"hi"',
    "-",
    "cat",
    "sat",
    "on",
]
CHINESE = [*"我你他的了不是在有这汤姆喜欢茶去学校。，？", "A", " b3"]


def pairs(words: list[str], space: str, seed: int) -> tuple[list[str], list[str]]:
    chance = random.Random(seed)
    right = [space.join(chance.choices(words, k=chance.randint(1, 12))) for _ in range(80)]
    said = [
        space.join(w for w in chance.choices(words, k=2) + text.split(space or None) if chance.random() > 0.2)
        if space
        else "".join(c for c in text if chance.random() > 0.2) + "好"
        for text in right
    ]
    return said, right


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("tokenize", "words", "space"), [("13a", ENGLISH, " "), ("zh", CHINESE, "")])
def test_they_are_those_of_sacrebleu(tokenize: str, words: list[str], space: str, seed: int) -> None:
    said, right = pairs(words, space, seed)
    counts = overlap_counts(said, right)
    assert counts.bleu() == pytest.approx(sacrebleu.corpus_bleu(said, [right], tokenize=tokenize).score)
    assert counts.chrf() == pytest.approx(sacrebleu.corpus_chrf(said, [right]).score)
    some = np.random.default_rng(seed).integers(0, 80, 80)
    few = ([said[i] for i in some], [[right[i] for i in some]])
    assert counts.bleu(some) == pytest.approx(sacrebleu.corpus_bleu(*few, tokenize=tokenize).score)
    assert counts.chrf(some) == pytest.approx(sacrebleu.corpus_chrf(*few).score)
    each = [sacrebleu.sentence_chrf(a, [b]).score for a, b in zip(said, right, strict=True)]
    assert counts.chrf_of_rows() == pytest.approx(each)


def test_the_same_text_gets_a_hundred_and_another_nothing() -> None:
    same = overlap_counts(["The cat sat on the mat."], ["The cat sat on the mat."])
    assert (same.bleu(), same.chrf(), same.length_ratio()) == pytest.approx((100.0, 100.0, 1.0))
    other = overlap_counts(["zzz"], ["The cat sat on the mat."])
    assert (other.bleu(), other.chrf()) == (0.0, 0.0)


@pytest.mark.parametrize("said", ["", "猫", "猫坐"])
def test_empty_and_short_translations_are_measured(said: str) -> None:
    counts = overlap_counts([said], ["猫坐在垫子上。"])
    assert counts.bleu() == pytest.approx(
        sacrebleu.corpus_bleu([said], [["猫坐在垫子上。"]], tokenize="zh").score
    )
    assert counts.chrf() == pytest.approx(sacrebleu.corpus_chrf([said], [["猫坐在垫子上。"]]).score)
