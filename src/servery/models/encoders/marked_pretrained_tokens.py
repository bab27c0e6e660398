"""Texts with two marked entities in the tokens of a pretrained encoder, with marks around both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from servery.errors import ArtifactError, TooLongError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders.marked_words import read_marked
from servery.models.encoders.pretrained_tokens import read_tokenizer

HEAD_MARK, TAIL_MARK = "$", "#"
"""Stand on both sides of an entity (Wu and He 2019, Enriching pre-trained language model with entity information,
section 3.2)."""
OTHER, HEAD, TAIL = 0, 1, 2
MarkedRow = tuple[list[int], list[int]]
"""The token numbers of one example, and whether each is in the head, in the tail or elsewhere."""


class MarkedPretrainedTokens(Encoder):
    """The tokens of the entities, those between them, and some before and after.

    Args:
        column: Name of the column with the marked texts.
        tokenizer: As it was read; its own cutting and padding are turned off.
        context: Tokens kept before the first entity and after the second.
        max_tokens: Most tokens of one row, marks included.
    """

    name = "marked_pretrained_tokens"

    def __init__(self, column: str, tokenizer: Tokenizer, context: int, max_tokens: int) -> None:
        self.column = column
        self.context = context
        self.max_tokens = max_tokens
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._first, *_, self._last = tokenizer.encode("a").ids
        self._marks = {HEAD: self._ids(HEAD_MARK), TAIL: self._ids(TAIL_MARK)}

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `tokens`, `roles` (0 elsewhere, 1 in the head, 2 in the tail) and `is_token`, int64, (rows, length).

        Raises:
            TooLongError: A row has more than `max_tokens` tokens, and `cut` is false.
            InputError: A text lacks its marks.
        """
        return padded_rows(self.rows(examples, cut=cut))

    def rows(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> list[MarkedRow]:
        """Return tokens and roles of each example.

        Raises:
            TooLongError: A row has more than `max_tokens` tokens, and `cut` is false.
            InputError: A text lacks its marks.
        """
        rows = [self._row(example) for example in examples]
        longest = max((len(tokens) for tokens, _ in rows), default=0)
        if longest > self.max_tokens and not cut:
            raise TooLongError(
                f"Entities and what is between them are {longest:,} tokens; this model reads at most "
                f"{self.max_tokens:,}.",
                hint="ask about two entities that stand nearer to each other",
                param=f"/{self.column}",
            )
        return [self._shortened(*row) for row in rows]

    def _row(self, example: Mapping[str, Any]) -> MarkedRow:
        marked = read_marked(example, self.column)
        before, between, behind = (self._ids(region) for region in marked.regions)
        sides = sorted([(marked.head, HEAD), (marked.tail, TAIL)])
        (first, first_role), (second, second_role) = (
            (self._ids(marked.text[start:end]), role) for (start, end), role in sides
        )
        pieces = [
            ([self._first, *before[-self.context :]] if self.context else [self._first], OTHER),
            (self._marks[first_role] + first + self._marks[first_role], first_role),
            (between, OTHER),
            (self._marks[second_role] + second + self._marks[second_role], second_role),
            ([*behind[: self.context], self._last], OTHER),
        ]
        tokens = [token for piece, _ in pieces for token in piece]
        return tokens, [role for piece, role in pieces for _ in piece]

    def _shortened(self, tokens: list[int], roles: list[int]) -> MarkedRow:
        """Leave out words between two entities that stand too far apart."""
        surplus = len(tokens) - self.max_tokens
        if surplus <= 0:
            return tokens, roles
        middle = len(tokens) // 2 - surplus // 2
        kept = [place for place in range(len(tokens)) if not middle <= place < middle + surplus]
        return [tokens[place] for place in kept], [roles[place] for place in kept]

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of tokens of each example."""
        return [len(tokens) for tokens, _ in self.rows(examples, cut=True)]

    def state(self) -> dict[str, Any]:
        """Return the tokenizer and the limits, as plain JSON types."""
        return {
            "column": self.column,
            "context": self.context,
            "max_tokens": self.max_tokens,
            "tokenizer": json.loads(self._tokenizer.to_str()),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> MarkedPretrainedTokens:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            column, text = str(state["column"]), json.dumps(state["tokenizer"])
            context, max_tokens = int(state["context"]), int(state["max_tokens"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"The state of the encoder 'marked_pretrained_tokens' is torn: {error!r}."
            ) from error
        return cls(column, read_tokenizer(text), context, max_tokens)


def padded_rows(rows: Sequence[MarkedRow]) -> Batch:
    """Return rows of tokens and roles side by side, 0 behind their ends."""
    shape = (len(rows), max(len(tokens) for tokens, _ in rows))
    tokens, roles, is_token = (np.zeros(shape, np.int64) for _ in range(3))
    for place, (numbers, belonging) in enumerate(rows):
        tokens[place, : len(numbers)] = numbers
        roles[place, : len(numbers)] = belonging
        is_token[place, : len(numbers)] = 1
    return {"tokens": tokens, "roles": roles, "is_token": is_token}
