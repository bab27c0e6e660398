"""Whole texts as one row of subwords each, for models that write summaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from servery.models.encoder import Batch
from servery.models.encoders.subwords import Subwords

MARGIN = 1.5
"""A summary may be half as long again as the longest ones learned from."""


class Articles(Subwords):
    """As `subwords`, but a text is read as a whole, and of a long one the beginning."""

    name = "articles"
    longest_written = 0
    """Tokens of the longest summaries learned from; 0 where it is not known."""

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return besides `is_cut`, float32, (rows,): 1 where only the beginning of a text is read.

        Where nobody asks for a length, `most_tokens` is a little more than the longest summary learned from.
        """
        batch, lengths = super().encode(examples, cut=True), self.sizes(examples)
        usual = np.float32(MARGIN * self.longest_written)
        return {
            **batch,
            "most_tokens": np.where(batch["most_tokens"] > 0, batch["most_tokens"], usual),
            "is_cut": np.array([length > self.max_tokens - 1 for length in lengths], np.float32),
        }

    def _sentences(self, text: str, whole: list[int], cut: bool) -> Iterator[list[int]]:
        if whole:
            yield whole[: self.max_tokens - 1]

    def state(self) -> dict[str, Any]:
        """Return that of subwords, and the longest summary."""
        return {**super().state(), "longest_written": self.longest_written}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Articles:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        made = super().restore(state)
        assert isinstance(made, Articles)
        made.longest_written = int(state.get("longest_written", 0))
        return made
