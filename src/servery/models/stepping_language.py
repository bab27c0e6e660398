"""Language models that read one token after another and keep a state: in numpy, without torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from servery.errors import ServeryError
from servery.models.encoder import Batch
from servery.models.growing import GrowingRuntime, Growth
from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.text_growth import TextGrowth, grown, most_tokens
from servery.models.text_scoring import scored
from servery.tasks.growing import Piece
from servery.tasks.task import Parameters

CHUNK_TOKENS = 256
"""Tokens of prompts that are read in one step: so long do texts under way wait for newcomers."""
CONTEXT_TOKENS = 4096
"""Longest text; a state of fixed size would allow any."""


class StatefulGrowth(TextGrowth):
    """A text under way with what its model remembers of it."""

    state: Any = None


class SteppingLanguage(GrowingRuntime):
    """A text's logits are its own: each is read by itself, whatever grows beside it.

    Args:
        tokenizer: Tokens to text.
        end_tokens: Tokens with which the model itself ends a text.
    """

    def __init__(self, tokenizer: LanguageTokenizer, end_tokens: Collection[int]) -> None:
        self.tokenizer = tokenizer
        self.end_tokens = frozenset(end_tokens)

    @abstractmethod
    def logits(self, tokens: np.ndarray) -> np.ndarray:
        """Return the logits of what follows each token of whole texts, float32, (rows, length, vocabulary).

        Args:
            tokens: int64, (rows, length).
        """

    @abstractmethod
    def read(self, state: Any, tokens: Sequence[int]) -> tuple[Any, np.ndarray]:
        """Return what is remembered of a text after more tokens, and the logits of the next, float32, (vocabulary,).

        Args:
            state: What was returned last; None at the beginning.
            tokens: At least one.
        """

    def run(self, batch: Batch) -> np.ndarray:
        """Return the log of each token's chance, see `scored`: objects, (rows,), each float32, (tokens, 2)."""
        return scored(batch, self.logits, self.tokenizer.size, CONTEXT_TOKENS)

    def begin(self, batch: Batch, parameters: Parameters) -> StatefulGrowth:
        """Return a text that is about to grow.

        Raises:
            TooLongError: There is no room for as many tokens as are asked for.
        """
        prompt = batch["tokens"][0, : batch["lengths"][0]].tolist()
        asked, most = most_tokens(parameters, len(prompt), CONTEXT_TOKENS)
        return StatefulGrowth(prompt, asked, most, self.tokenizer, self.end_tokens)

    def step(self, growths: Sequence[Growth]) -> list[Piece | Exception | None]:
        """Add a token to each text whose prompt is read, and read on in the others."""
        room = CHUNK_TOKENS
        results: list[Piece | Exception | None] = []
        for growth in growths:
            assert isinstance(growth, StatefulGrowth)
            is_prompt = growth.unread > 1
            # A prompt is cut the same way whatever stands beside it, so that it always reads the same.
            count = min(growth.unread, CHUNK_TOKENS) if room > 0 or not is_prompt else 0
            room -= count if is_prompt else 0
            results.append(self._advanced(growth, count) if count else None)
        return results

    def end(self, growths: Sequence[Growth]) -> None:
        """Forget them."""
        for growth in growths:
            assert isinstance(growth, StatefulGrowth)
            growth.state = None

    def _advanced(self, growth: StatefulGrowth, count: int) -> Piece | ServeryError | None:
        new = growth.tokens[growth.read : growth.read + count]
        growth.state, logits = self.read(growth.state, new)
        growth.read += count
        return None if growth.unread else grown(growth, logits)
