"""Texts for pretrained models that write summaries: token numbers, and how a summary is to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.encoders._words import text_of
from servery.models.encoders.pretrained_tokens import PretrainedTokens, TokenRow
from servery.tasks.written import HOW

WAYS = ("beam_size", "length_penalty", "most_tokens")
"""Of the wishes those that such a model takes; not a number where nothing is asked for."""


class PretrainedArticles(PretrainedTokens):
    """As `pretrained_tokens`, with what the model wants before each text; of a long text the beginning is read.

    Args:
        columns: Name of the text column.
        tokenizer: As it was read.
        max_tokens: Most tokens of one row, marks included.
        prefix: Stands before each text, e.g. "summarize: ".
    """

    name = "pretrained_articles"

    def __init__(
        self, columns: Sequence[str], tokenizer: Tokenizer, max_tokens: int, prefix: str = ""
    ) -> None:
        super().__init__(columns, tokenizer, max_tokens)
        self.prefix = prefix

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Add `characters`, int64, `is_cut`, bool, and each of WAYS, float32; all (rows,)."""
        texts = [text_of(example, self.columns) for example in examples]
        prefixed = [{self.columns[0]: self.prefix + text} for text in texts]
        asked = [example.get(HOW) or {} for example in examples]
        return {
            **super().encode(prefixed, cut=True),
            "characters": np.array([len(text.strip()) for text in texts], np.int64),
            "is_cut": np.array([size > self.max_tokens for size in super().sizes(prefixed)], bool),
            **{
                way: np.array([np.nan if how.get(way) is None else how[way] for how in asked], np.float32)
                for way in WAYS
            },
        }

    def rows(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> list[TokenRow]:
        """Return the tokens of each example; a text that is cut keeps the mark at its end."""
        rows = super().rows(examples, cut=True)
        last = [row.ids[-1:] for row in self._rows(examples)]
        return [
            (numbers[: len(numbers) - len(end)] + end, parts)
            for (numbers, parts), end in zip(rows, last, strict=True)
        ]

    def state(self) -> dict[str, Any]:
        """Return that of the tokens, and the prefix."""
        return {**super().state(), "prefix": self.prefix}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> PretrainedArticles:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        made = super().restore(state)
        if not isinstance(made, cls) or not isinstance(state.get("prefix"), str):
            raise ArtifactError("The state of the encoder 'pretrained_articles' is torn: it has no prefix.")
        made.prefix = state["prefix"]
        return made
