"""Texts that are there already: each token is foretold once, from at least half a context."""

from __future__ import annotations

import numpy as np

from servery.models.text_scoring import chances_of_next, scored

VOCABULARY = 7


def batch_of(*lengths: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    tokens = np.zeros((len(lengths), max(lengths)), np.int64)
    for row, length in enumerate(lengths):
        tokens[row, :length] = generator.integers(0, VOCABULARY, length)
    left = np.arange(max(lengths))[::-1] + np.zeros_like(tokens)
    return {"tokens": tokens, "left": left, "lengths": np.array(lengths)}


def test_the_chance_of_a_token_is_its_share_of_the_softmax() -> None:
    logits = np.log(np.array([[[1.0, 3.0], [2.0, 2.0]]], np.float32))
    found = np.exp(chances_of_next(logits, np.array([[1, 0]])))
    assert np.allclose(found, [[0.75, 0.5]])


def test_every_token_is_foretold_once_from_half_a_context_or_more() -> None:
    contexts: list[int] = []
    batch = batch_of(5, 40, 1, 23)

    def logits(tokens: np.ndarray) -> np.ndarray:
        assert tokens.shape[1] < 8
        contexts.extend(range(1, tokens.shape[1] + 1))
        return np.zeros((*tokens.shape, VOCABULARY), np.float32)

    rows = scored(batch, logits, VOCABULARY, context_tokens=8)
    assert [len(row) for row in rows] == [5, 40, 1, 23]
    for row in rows:
        assert np.allclose(row[:, 0], -np.log(VOCABULARY))


def test_windows_say_what_a_model_of_short_memory_would_say_of_the_whole() -> None:
    # It looks at the last two tokens only, so that windows of eight with four before the first must agree.
    table = np.random.default_rng(1).normal(size=(VOCABULARY, VOCABULARY, VOCABULARY)).astype(np.float32)

    def logits(tokens: np.ndarray) -> np.ndarray:
        before = np.concatenate([np.zeros((len(tokens), 1), np.int64), tokens[:, :-1]], axis=1)
        return table[before, tokens]

    batch = batch_of(40, 9, 3)
    whole, pieces = (scored(batch, logits, VOCABULARY, context) for context in (1000, 8))
    for one, other in zip(whole, pieces, strict=True):
        assert np.allclose(one, other, atol=1e-6)
