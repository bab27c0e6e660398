"""Texts as rows of token numbers, by a byte-level BPE learned from the training texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from servery.errors import ArtifactError, TooLongError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import WORD_PATTERN, text_of

PADDING = 0
UNKNOWN = 1
"""Stands for a text without tokens, and for words left out during training."""
RESERVED = 2
"""Numbers before the tokenizer's own."""
CHARACTERS_PER_TOKEN = 40
"""Training characters that one vocabulary entry must be learned from; with fewer its vector stays noise."""
BYTES = 256


class Tokens(Encoder):
    """Byte-pair encoding within words; every byte is in the vocabulary, so no text is unknown.

    Each CJK character is split off first: it is a word of its own, and pairs are not merged across.

    Source: Sennrich, Haddow, Birch (2016), section 3.2; on bytes: Radford et al. (2019), section 2.2.

    Args:
        columns: Names of the text columns.
        tokenizer: The learned tokenizer.
        max_tokens: Most tokens of one text.
    """

    name = "tokens"

    def __init__(self, columns: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> None:
        self.columns = tuple(columns)
        self.max_tokens = max_tokens
        self._tokenizer = tokenizer
        self.vocabulary_size: int = tokenizer.get_vocab_size() + RESERVED

    @classmethod
    def fit(
        cls,
        examples: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        *,
        vocabulary_size: int = 12_000,
        max_tokens: int = 256,
    ) -> Tokens:
        """Learn the tokens of the training texts.

        Args:
            examples: The training rows.
            columns: Names of the text columns.
            vocabulary_size: Most tokens to learn; less data gets fewer.
            max_tokens: Most tokens of one text.
        """
        texts = [text_of(example, columns) for example in examples]
        enough = BYTES + sum(map(len, texts)) // CHARACTERS_PER_TOKEN
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(WORD_PATTERN), "removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=max(min(vocabulary_size - RESERVED, enough), BYTES),
            min_frequency=2,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(columns, tokenizer, max_tokens)

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `tokens`, int64, (rows, length of the longest), padded with 0.

        Raises:
            TooLongError: A text has more than `max_tokens` tokens, and `cut` is false.
        """
        rows = self.rows(examples, cut=cut)
        tokens = np.zeros((len(rows), max(map(len, rows), default=1)), np.int64)
        for row, numbers in zip(tokens, rows, strict=True):
            row[: len(numbers)] = numbers
        return {"tokens": tokens}

    def rows(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> list[list[int]]:
        """Return the token numbers of each example, at least one.

        Raises:
            TooLongError: A text has more than `max_tokens` tokens, and `cut` is false.
        """
        rows = [self._numbers(example) for example in examples]
        if cut:
            return [numbers[: self.max_tokens] for numbers in rows]
        longest = max(map(len, rows), default=0)
        if longest > self.max_tokens:
            raise TooLongError(
                f"A text has {longest:,} tokens; this model reads at most {self.max_tokens:,}.",
                hint="shorten it, ask about its parts one by one, or train with a larger max_tokens",
            )
        return rows

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of tokens of each example."""
        return [len(self._numbers(example)) for example in examples]

    def _numbers(self, example: Mapping[str, Any]) -> list[int]:
        numbers = self._tokenizer.encode(text_of(example, self.columns), add_special_tokens=False).ids
        return [number + RESERVED for number in numbers] or [UNKNOWN]

    def state(self) -> dict[str, Any]:
        """Return the tokenizer and the limits, as plain JSON types."""
        return {
            "columns": list(self.columns),
            "max_tokens": self.max_tokens,
            "tokenizer": json.loads(self._tokenizer.to_str()),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Tokens:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            columns = [str(column) for column in state["columns"]]
            max_tokens, text = int(state["max_tokens"]), json.dumps(state["tokenizer"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'tokens' is torn: {error!r}.") from error
        try:
            return cls(columns, Tokenizer.from_str(text), max_tokens)
        except Exception as error:  # the library raises nothing narrower
            raise ArtifactError(f"The tokenizer of the encoder 'tokens' is torn: {error}.") from error
