"""Texts as token numbers by a tokenizer that came with a model, with the place of each word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.models.encoder import Batch
from servery.models.encoders.pretrained_tokens import PretrainedTokens


class PretrainedPlaces(PretrainedTokens):
    """As `PretrainedTokens`, and where in its text each word stands: at its first token, the others have none."""

    name = "pretrained_places"

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Add `places`, int64, (rows, length, 2): start and end in characters, the end excluded; equal for no word.

        Raises:
            TooLongError: A row has more than `max_tokens` tokens, and `cut` is false.
        """
        batch = super().encode(examples, cut=cut)
        shape = batch["tokens"].shape
        places = np.zeros((*shape, 2), np.int64)
        for row, found in enumerate(self._rows(examples)):
            first: dict[int, int] = {}
            pairs = zip(found.word_ids[: shape[1]], found.offsets, strict=False)
            for place, (word, (start, end)) in enumerate(pairs):
                if word is None:
                    continue
                begun = first.setdefault(word, place)
                places[row, begun, 0] = start if begun == place else places[row, begun, 0]
                places[row, begun, 1] = end
        return {**batch, "places": places}
