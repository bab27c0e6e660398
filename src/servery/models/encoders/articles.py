"""Whole texts as one row of subwords each, for models that write summaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from servery.models.encoder import Batch
from servery.models.encoders.subwords import Subwords


class Articles(Subwords):
    """As `subwords`, but a text is read as a whole, and of a long one the beginning."""

    name = "articles"

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return besides `is_cut`, float32, (rows,): 1 where only the beginning of a text is read."""
        lengths = self.sizes(examples)
        return {
            **super().encode(examples, cut=True),
            "is_cut": np.array([length > self.max_tokens - 1 for length in lengths], np.float32),
        }

    def _sentences(self, text: str, whole: list[int], cut: bool) -> Iterator[list[int]]:
        if whole:
            yield whole[: self.max_tokens - 1]
