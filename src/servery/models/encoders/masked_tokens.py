"""Texts with one mask as token numbers, by a tokenizer that came with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

from servery.errors import ArtifactError, InputError
from servery.models.encoders.pretrained_tokens import PretrainedTokens, TokenRow


class MaskedTokens(PretrainedTokens):
    """As `PretrainedTokens`, of texts that hold the mask exactly once.

    Args:
        columns: The name of one text column.
        tokenizer: As it was read.
        max_tokens: Most tokens of one row, marks included.
        mask: How the mask is written, e.g. "[MASK]".

    Raises:
        ArtifactError: The tokenizer has no such token.
    """

    name = "masked_tokens"

    def __init__(self, columns: Sequence[str], tokenizer: Tokenizer, max_tokens: int, mask: str) -> None:
        super().__init__(columns, tokenizer, max_tokens)
        number = tokenizer.token_to_id(mask)
        if number is None:
            raise ArtifactError(f"The tokenizer has no mask {mask!r}.")
        self.mask, self.mask_number = mask, int(number)

    def rows(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> list[TokenRow]:
        """Return the tokens of each example.

        Raises:
            InputError: A text holds no mask, or several.
            TooLongError: A row has more than `max_tokens` tokens, and `cut` is false.
        """
        found = super().rows(examples, cut=cut)
        for place, (tokens, _) in enumerate(found):
            count = tokens.count(self.mask_number)
            if count != 1:
                raise InputError(
                    f"Text {place + 1} holds the mask {self.mask} {count} times; expected once.",
                    hint=f"The sky is {self.mask}.",
                    param=f"/{self.columns[0]}",
                )
        return found

    def state(self) -> dict[str, Any]:
        """Add the mask."""
        return {**super().state(), "mask": self.mask}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> MaskedTokens:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        plain = PretrainedTokens.restore(state)
        if not isinstance(state.get("mask"), str):
            raise ArtifactError("The state of the encoder 'masked_tokens' is torn: it names no mask.")
        return cls(plain.columns, plain._tokenizer, plain.max_tokens, state["mask"])
