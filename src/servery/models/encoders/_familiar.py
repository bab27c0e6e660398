"""Which texts are like those a model learned from: told by how likely their pieces are among those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

FAMILIAR_SHARE = 0.999
"""Share of the training texts that must not be taken for foreign."""
MEDIANS = 2.0
"""So many times the median surprise is never foreign: beside few and like texts any other would seem so."""
UNSEEN_SHARE = 0.5
"""Share of tokens never read in training from which a text is foreign, whatever its script."""


class Familiar:
    """What the texts learned from were like.

    Args:
        counts: How often each token occurs in them.
        bits: Bits a character from which a text is foreign; infinite for never.
        whole_tokens: As long as nearly all of them; longer texts are read sentence by sentence.
    """

    def __init__(self, counts: Sequence[int], bits: float, whole_tokens: int) -> None:
        self.counts, self.bits, self.whole_tokens = list(counts), bits, whole_tokens
        total = sum(self.counts) + len(self.counts)
        self._surprise = [math.log2(total / (count + 1)) for count in self.counts]

    @classmethod
    def fit(cls, rows: Sequence[Sequence[int]], characters: Sequence[int], vocabulary_size: int) -> Familiar:
        """Look at the training texts.

        Args:
            rows: Token numbers of each.
            characters: Length of each.
            vocabulary_size: Number of tokens.
        """
        counts = np.bincount([token for row in rows for token in row], minlength=vocabulary_size)
        made = cls(counts.tolist(), math.inf, 1)
        if rows:
            bits = [made.bits_a_character(*text) for text in zip(rows, characters, strict=True)]
            made.bits = float(max(np.quantile(bits, FAMILIAR_SHARE), MEDIANS * np.median(bits)))
            made.whole_tokens = 1 + int(np.quantile([len(row) for row in rows], FAMILIAR_SHARE))
        return made

    def bits_a_character(self, row: Sequence[int], characters: int) -> float:
        """Return how surprising a text's tokens are, each by itself, for one of its characters."""
        return sum(self._surprise[token] for token in row) / max(characters, 1)

    def is_foreign(self, row: Sequence[int], characters: int) -> bool:
        """Whether a text is not like those learned from: of unlikely pieces, or mostly of some never read."""
        unseen = sum(not self.counts[token] for token in row)
        is_unlikely = self.bits_a_character(row, characters) > self.bits
        return bool(row) and (is_unlikely or unseen > UNSEEN_SHARE * len(row))

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON types."""
        bits = None if math.isinf(self.bits) else self.bits
        return {"counts": self.counts, "bits": bits, "whole_tokens": self.whole_tokens}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Familiar:
        """Rebuild it; a torn state raises KeyError, TypeError or ValueError."""
        bits = math.inf if state["bits"] is None else float(state["bits"])
        return cls([int(count) for count in state["counts"]], bits, int(state["whole_tokens"]))
