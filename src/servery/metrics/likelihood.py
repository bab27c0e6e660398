"""How well a language model foretells a text: from the log chances it gave to what stands there."""

from __future__ import annotations

import numpy as np


def likelihood(nats: float, characters: float, tokens: float) -> dict[str, float]:
    """Return what a model's log loss on a text comes to.

    Figures by the character compare models whatever their tokens are; the perplexity is by the token, as papers give
    it, and compares only models with the same tokens.

    Args:
        nats: Sum of the negative natural logs of the chances.
        characters: Characters foretold.
        tokens: Tokens they were cut into.

    Source: Jurafsky and Martin (2024), Speech and language processing, section 3.3; Mielke (2019), Can you compare
    perplexity across different segmentations?

    >>> found = likelihood(nats=np.log(4) * 10, characters=10, tokens=5)
    >>> round(found["character_chance"], 3), round(found["bits_per_character"], 3), round(found["perplexity"], 1)
    (0.25, 2.0, 16.0)
    """
    per_character = nats / characters
    return {
        "character_chance": float(np.exp(-per_character)),
        "nats_per_character": float(per_character),
        "bits_per_character": float(per_character / np.log(2)),
        "perplexity": float(np.exp(min(nats / tokens, 700.0))),
    }


def unigram_nats(texts: list[str]) -> float:
    """Return the entropy of single characters: the nats each costs a model that knows only how frequent they are.

    >>> round(unigram_nats(["aab", "b"]), 4)
    0.6931
    """
    counts = np.unique([character for text in texts for character in text], return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())
