"""Texts as token numbers by a tokenizer that came with a model, from its `tokenizer.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from servery.errors import ArtifactError, TooLongError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import text_of

TokenRow = tuple[list[int], list[int]]
"""The token numbers of one example, and which of its texts each belongs to."""


class PretrainedTokens(Encoder):
    """One text, or a pair of texts with the marks the model was trained with around and between them.

    Args:
        columns: Names of one or two text columns.
        tokenizer: As it was read; its own cutting and padding are turned off.
        max_tokens: Most tokens of one row, marks included.
    """

    name = "pretrained_tokens"

    def __init__(self, columns: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> None:
        self.columns = tuple(columns)
        self.max_tokens = max_tokens
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `tokens`, `parts` (0 for the first text, 1 for the second) and `is_token` (0 at padding).

        All int64, (rows, length of the longest). A cut text loses its end, its last mark included.

        Raises:
            TooLongError: A row has more than `max_tokens` tokens, and `cut` is false.
        """
        rows = self.rows(examples, cut=cut)
        shape = (len(rows), max((len(tokens) for tokens, _ in rows), default=1))
        tokens, parts, is_token = (np.zeros(shape, np.int64) for _ in range(3))
        for place, (numbers, belonging) in enumerate(rows):
            tokens[place, : len(numbers)] = numbers
            parts[place, : len(numbers)] = belonging
            is_token[place, : len(numbers)] = 1
        return {"tokens": tokens, "parts": parts, "is_token": is_token}

    def rows(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> list[TokenRow]:
        """Return the tokens of each example, at least one.

        Raises:
            TooLongError: A row has more than `max_tokens` tokens, and `cut` is false.
        """
        found = self._rows(examples)
        longest = max((len(row.ids) for row in found), default=1)
        if longest > self.max_tokens and not cut:
            raise TooLongError(
                f"A text has {longest:,} tokens; this model reads at most {self.max_tokens:,}.",
                hint="shorten it, or ask about its parts one by one",
            )
        most = self.max_tokens
        # A text without a token gets padding's, so that there is something to take the mean of.
        return [(row.ids[:most] or [0], row.type_ids[:most] or [0]) for row in found]

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of tokens of each example."""
        return [len(row.ids) for row in self._rows(examples)]

    def _rows(self, examples: Sequence[Mapping[str, Any]]) -> list[Encoding]:
        # One by one: a whole batch at once would start a thread a core beside the model's own.
        texts = [[text_of(example, (name,)) for name in self.columns] for example in examples]
        return [self._tokenizer.encode(row[0], row[1] if len(row) > 1 else None) for row in texts]

    def state(self) -> dict[str, Any]:
        """Return the tokenizer and the limits, as plain JSON types."""
        return {
            "columns": list(self.columns),
            "max_tokens": self.max_tokens,
            "tokenizer": json.loads(self._tokenizer.to_str()),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> PretrainedTokens:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            columns = [str(column) for column in state["columns"]]
            max_tokens, text = int(state["max_tokens"]), json.dumps(state["tokenizer"])
            if len(columns) not in (1, 2) or max_tokens < 1:
                raise ValueError(f"{len(columns)} columns of {max_tokens} tokens")
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"The state of the encoder 'pretrained_tokens' is torn: {error!r}."
            ) from error
        return cls(columns, read_tokenizer(text), max_tokens)


def read_tokenizer(text: str) -> Tokenizer:
    """Return the tokenizer that a `tokenizer.json` describes.

    Raises:
        ArtifactError: It describes none.
    """
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing narrower
        raise ArtifactError(f"The tokenizer cannot be read: {error}.") from error
