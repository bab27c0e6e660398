"""Texts as words with what a tagger looks at, beside the tokens that a pretrained encoder reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from servery.errors import TooLongError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import text_of
from servery.models.encoders.pretrained_tokens import read_tokenizer
from servery.models.encoders.tagged_words import TaggedWords, padded


class TaggedPieces(Encoder):
    """The arrays of `TaggedWords`, the tokens of the text, and for each word the first of its tokens.

    Source of the first token standing for its word: Devlin et al. (2019), BERT, section 5.3.

    Args:
        words: What is known of words.
        tokenizer: The pretrained encoder's; its own cutting and padding are turned off.
        max_tokens: Most tokens of one text, marks included.
    """

    name = "tagged_pieces"

    def __init__(self, words: TaggedWords, tokenizer: Tokenizer, max_tokens: int) -> None:
        self.words = words
        self.max_tokens = max_tokens
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `tokens`, `parts`, `is_token` (rows, tokens), `firsts` (rows, words) and those of `TaggedWords`.

        Raises:
            TooLongError: A text has more than `max_tokens` tokens, and `cut` is false.
        """
        return padded([self.row(text_of(example, self.words.columns), cut) for example in examples])

    def row(self, text: str, cut: bool) -> Batch:
        """Return the arrays of one text; words behind its last token are cut with it."""
        found = self._tokenizer.encode(text)
        if len(found.ids) > self.max_tokens and not cut:
            raise TooLongError(
                f"A text has {len(found.ids):,} tokens; this model reads at most {self.max_tokens:,}.",
                hint="shorten it, or ask about its parts one by one",
            )
        # A text without a token gets padding's, so that there is something to look at.
        tokens = np.array(found.ids[: self.max_tokens] or [0], np.int64)
        words = self.words.row(text, cut)
        firsts = _firsts(words["places"], np.array(found.offsets, np.int64).reshape(-1, 2))
        kept = firsts < len(tokens)
        return {
            "tokens": tokens,
            "parts": np.zeros_like(tokens),
            "is_token": np.ones_like(tokens),
            "firsts": firsts[kept],
            **{name: array[kept] for name, array in words.items()},
        }

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of tokens of each example."""
        columns = self.words.columns
        return [len(self._tokenizer.encode(text_of(example, columns)).ids) for example in examples]

    def state(self) -> dict[str, Any]:
        """Return what is known of words, the tokenizer and the limit, as plain JSON types."""
        return {
            "words": self.words.state(),
            "max_tokens": self.max_tokens,
            "tokenizer": json.loads(self._tokenizer.to_str()),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> TaggedPieces:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        words = TaggedWords.restore(state.get("words", {}))
        return cls(words, read_tokenizer(json.dumps(state.get("tokenizer"))), int(state.get("max_tokens", 1)))


def _firsts(words: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Return for each word the first token that has a part of it, int64, (words,); 0, the first mark, for none.

    Args:
        words: Start and end of each word, int64, (words, 2), in order.
        tokens: Start and end of each token, int64, (tokens, 2); marks are empty.
    """
    real = np.flatnonzero(tokens[:, 1] > tokens[:, 0])
    if not len(real):
        return np.zeros(len(words), np.int64)
    place = np.searchsorted(tokens[real, 1], words[:, 0], side="right").clip(max=len(real) - 1)
    has_part = (tokens[real[place], 0] < words[:, 1]) & (tokens[real[place], 1] > words[:, 0])
    return np.where(has_part, real[place], 0)
