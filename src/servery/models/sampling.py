"""Which token comes next: the likeliest, or one drawn by a generator that belongs to one text alone."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence

import numpy as np

from servery.errors import NonFiniteError
from servery.tasks.generated_text import TextGenerationParameters


class Chooser:
    """Chooses the tokens of one text.

    Everything is computed in float64 from the logits of this text's row, with a generator of its own: the same logits
    and seed give the same text, whatever is chosen beside it.

    Args:
        parameters: How to choose.
        prompt: The tokens before the first one.
    """

    def __init__(self, parameters: TextGenerationParameters, prompt: Sequence[int]) -> None:
        self.seed = secrets.randbits(32) if parameters.seed is None else parameters.seed
        self._parameters = parameters
        self._generator = np.random.Generator(np.random.PCG64(self.seed % 2**64))
        self._counts: Counter[int] = Counter()
        self._seen = set(prompt) if parameters.repetition_penalty != 1.0 else set()
        self._bias = {int(token): bias for token, bias in parameters.logit_bias.items()}
        self._changes = bool(
            self._seen or self._bias or parameters.frequency_penalty or parameters.presence_penalty
        )

    def choose(self, logits: np.ndarray) -> int:
        """Return the next token.

        Args:
            logits: float32, (vocabulary,).

        Raises:
            NonFiniteError: They hold NaN or infinity.
        """
        if not np.isfinite(logits).all():
            raise NonFiniteError("The model produced NaN or infinity.")
        if self._changes:
            logits = self._changed(logits.astype(np.float64))
        token = int(logits.argmax()) if self._parameters.temperature == 0 else self._drawn(logits)
        if self._changes:
            self._counts[token] += 1
            self._seen.add(token)
        return token

    def _changed(self, logits: np.ndarray) -> np.ndarray:
        parameters = self._parameters
        if parameters.repetition_penalty != 1.0:
            seen = np.fromiter(self._seen, np.int64)
            penalty = parameters.repetition_penalty
            logits[seen] = np.where(logits[seen] > 0, logits[seen] / penalty, logits[seen] * penalty)
        for token, count in self._counts.items():
            logits[token] -= count * parameters.frequency_penalty + parameters.presence_penalty
        for token, bias in self._bias.items():
            if token < len(logits):
                logits[token] += bias
        return logits

    def _drawn(self, logits: np.ndarray) -> int:
        parameters = self._parameters
        # The largest becomes 0 before it is divided: a tiny temperature cannot overflow.
        heat = (logits.astype(np.float64) - logits.max()) / parameters.temperature
        kept = np.arange(len(heat))
        if parameters.top_k is not None and parameters.top_k < len(heat):
            kept = np.sort(np.argpartition(-heat, parameters.top_k - 1)[: parameters.top_k])
        chances = np.exp(heat[kept])
        if parameters.top_p < 1.0:
            order = np.argsort(-chances, kind="stable")
            before = np.cumsum(chances[order]) - chances[order]
            enough = int((before < parameters.top_p * chances.sum()).sum())
            order = np.sort(order[: max(enough, 1)])
            kept, chances = kept[order], chances[order]
        totals = np.cumsum(chances)
        place = int(np.searchsorted(totals, self._generator.random() * totals[-1], side="right"))
        return int(kept[min(place, len(kept) - 1)])


def log_chances(logits: np.ndarray) -> np.ndarray:
    """Return the natural logs of the softmax, float64, (vocabulary,).

    >>> log_chances(np.zeros(4)).round(4).tolist()
    [-1.3863, -1.3863, -1.3863, -1.3863]
    """
    shifted = logits.astype(np.float64) - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def likeliest(chances: np.ndarray, count: int) -> list[int]:
    """Return the numbers of the largest values, from the best down; of equals the lower first."""
    if not count:
        return []
    largest = np.sort(np.argpartition(-chances, min(count, len(chances)) - 1)[:count])
    return [int(place) for place in largest[np.argsort(-chances[largest], kind="stable")]]
