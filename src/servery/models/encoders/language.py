"""Prompts and conversations become the tokens of a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servery.errors import ArtifactError, InputError, TooLongError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import text_of
from servery.models.language_tokenizer import LanguageTokenizer

MESSAGES = "messages"
"""Key of an example that is a conversation: `role` and `content` a message."""
TOKENS = "tokens"
"""Key of an example that is tokens already."""


class Language(Encoder):
    """The tokenizer that came with the model, never fitted here.

    An example is a text in the model's one column, a conversation under `MESSAGES`, or tokens under `TOKENS`.

    Args:
        column: Name of the text column.
        tokenizer: The model's.
        max_tokens: Tokens of prompt and answer together.
    """

    name = "language"

    def __init__(self, column: str, tokenizer: LanguageTokenizer, max_tokens: int) -> None:
        self.column = column
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the tokens, all int64: `tokens` and `left`, (rows, length of the longest), and `lengths`, (rows,).

        `left` is how many characters of the text come after a token. With `cut`, as whole data sets are read, a text
        may be longer than the context: it is scored piece by piece.

        Raises:
            TooLongError: A prompt leaves no room for an answer, and `cut` is false.
            InputError: A prompt is empty, no text, or holds a token that is none of the model's.
        """
        rows = [self._row(example, cut=cut) for example in examples]
        shape = (len(rows), max((len(numbers) for numbers, _ in rows), default=1))
        tokens, left = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for place, (numbers, after) in enumerate(rows):
            tokens[place, : len(numbers)], left[place, : len(after)] = numbers, after
        return {"tokens": tokens, "left": left, "lengths": np.array([len(row) for row, _ in rows], np.int64)}

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of tokens of each example."""
        return [len(self._pieces(example)[0]) for example in examples]

    def _row(self, example: Mapping[str, Any], *, cut: bool) -> tuple[list[int], list[int]]:
        numbers, left = self._pieces(example)
        if not numbers:
            raise InputError("The prompt is empty.", hint="send at least one character")
        if len(numbers) >= self.max_tokens and not cut:
            raise TooLongError(
                f"This model's maximum context length is {self.max_tokens:,} tokens of prompt and answer together; "
                f"the prompt alone has {len(numbers):,}.",
                hint="send a shorter prompt; nothing is cut off silently",
            )
        return numbers, left

    def _pieces(self, example: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        """Return the tokens of an example, and what is left of a text after each."""
        if TOKENS in example:
            return self._checked(example[TOKENS]), []
        if MESSAGES in example:
            # A template writes the model's marks itself.
            prompt = self.tokenizer.chat.prompt(example[MESSAGES])
            return self.tokenizer.numbers(prompt, with_marks=False), []
        text = text_of(example, [self.column])
        numbers, left = self.tokenizer.pieces(text)
        if not text and not numbers:
            start = self.tokenizer.number("bos_token")
            return ([] if start is None else [start]), []
        return numbers, left

    def _checked(self, numbers: Sequence[int]) -> list[int]:
        wrong = next((number for number in numbers if not 0 <= number < self.tokenizer.size), None)
        if wrong is not None:
            raise InputError(
                f"There is no token {wrong}; this model's go from 0 to {self.tokenizer.size - 1:,}."
            )
        return list(numbers)

    def state(self) -> dict[str, Any]:
        """Return the column and the limit; the tokenizer has files of its own."""
        return {"column": self.column, "max_tokens": self.max_tokens}

    def save(self, folder: Path) -> None:
        """Write the tokenizer in the Hugging Face layout."""
        self.tokenizer.save(folder)

    @classmethod
    def load(cls, folder: Path, state: dict[str, Any]) -> Language:
        """Read the tokenizer.

        Raises:
            ArtifactError: It is torn, or the state is not one this encoder wrote.
        """
        try:
            column, max_tokens = str(state["column"]), int(state["max_tokens"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'language' is torn: {error!r}.") from error
        return cls(column, LanguageTokenizer.read(folder), max_tokens)

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Language:
        """Refuse: the tokenizer lies in the artifact's folder.

        Raises:
            ArtifactError: Always.
        """
        raise ArtifactError("The encoder 'language' is read from its folder.", hint="Encoder.load")
