"""One text under way: its tokens, how the next one is chosen, and what of it can be read already."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from servery.errors import ServeryError, TooLongError
from servery.models.growing import Growth
from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.sampling import Chooser, likeliest, log_chances
from servery.models.text_writer import TextWriter
from servery.tasks.generated_text import (
    DEFAULT_TOKENS,
    Alternative,
    FinishReason,
    TextGenerationAnswer,
    TextGenerationParameters,
    TextPiece,
    Token,
)
from servery.tasks.task import Parameters


class TextGrowth(Growth):
    """A text that grows by a token a step.

    Args:
        prompt: Its tokens so far, at least one.
        parameters: What is asked of it.
        max_tokens: Most tokens to add.
        tokenizer: Tokens to text.
        end_tokens: Tokens with which the model itself ends a text.
        token_bytes: Memory that a token needs in the runtime.

    Attributes:
        tokens: The prompt's and those added.
        read: How many of them the model has read; the runtime's own count.
        pages: Where the runtime keeps what it read.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        parameters: TextGenerationParameters,
        max_tokens: int,
        tokenizer: LanguageTokenizer,
        end_tokens: Collection[int],
        token_bytes: int = 0,
    ) -> None:
        self.tokens = list(prompt)
        self.read = 0
        self.pages: list[int] = []
        self._max_tokens = max_tokens
        self._prompt_tokens = len(prompt)
        self._parameters = parameters
        self._tokenizer = tokenizer
        self._end_tokens = end_tokens
        self._token_bytes = token_bytes
        self._chooser = Chooser(parameters, prompt)
        self._writer = TextWriter(tokenizer, parameters.stops)
        self._told: list[Token] = []
        self._finish_reason: FinishReason | None = None

    @property
    def is_done(self) -> bool:
        """Whether its last piece has come."""
        return self._finish_reason is not None

    @property
    def unread(self) -> int:
        """Tokens that the model has still to read before the next one can be chosen."""
        return len(self.tokens) - self.read

    @property
    def prompt_units(self) -> int:
        """Tokens of the prompt."""
        return self._prompt_tokens

    @property
    def read_units(self) -> int:
        """Tokens of the prompt that were read."""
        return min(self.read, self._prompt_tokens)

    @property
    def grown_units(self) -> int:
        """Tokens added, the one that ended the text included."""
        return len(self.tokens) - self._prompt_tokens

    @property
    def most_grown_units(self) -> int:
        """Most tokens to add."""
        return self._max_tokens

    @property
    def most_bytes(self) -> int:
        """Memory of all the tokens that it can have."""
        return (self._prompt_tokens + self._max_tokens) * self._token_bytes

    @property
    def answer(self) -> TextGenerationAnswer:
        """The answer as far as it has grown."""
        return TextGenerationAnswer(
            text=self._writer.text,
            finish_reason=self._finish_reason,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self.grown_units,
            seed=self._chooser.seed,
            tokens=tuple(self._told),
        )

    def grow(self, logits: np.ndarray) -> TextPiece:
        """Choose the next token and return what it adds.

        Args:
            logits: Of the next token, float32, (vocabulary,).

        Raises:
            NonFiniteError: They hold NaN or infinity; nothing has changed.
        """
        number = self._chooser.choose(logits)
        self.tokens.append(number)
        text = self._written(number)
        token = None
        if self._parameters.logprobs is not None:
            token = self._token(number, log_chances(logits), self._parameters.logprobs)
            self._told.append(token)
        return TextPiece(text, token, self._finish_reason)

    def _written(self, number: int) -> str:
        if number in self._end_tokens:
            self._finish_reason = "end"
            return self._writer.finish()
        text = self._writer.write(number)
        if not self._writer.is_stopped and self.grown_units == self._max_tokens:
            self._finish_reason = "length"
            text += self._writer.finish()
        if self._writer.is_stopped:
            self._finish_reason = "stop"
        return text

    def _token(self, number: int, chances: np.ndarray, count: int) -> Token:
        tokenizer = self._tokenizer
        others = [
            Alternative(
                other, tokenizer.text_alone(other), tuple(tokenizer.bytes_of(other)), float(chances[other])
            )
            for other in likeliest(chances, count)
        ]
        return Token(
            id=number,
            text=tokenizer.text_alone(number),
            bytes=tuple(tokenizer.bytes_of(number)),
            logprob=float(chances[number]),
            is_special=tokenizer.is_special(number),
            alternatives=tuple(others),
        )


def grown(text: TextGrowth, logits: np.ndarray) -> TextPiece | ServeryError:
    """Return what one step adds, or why there is none."""
    try:
        return text.grow(logits)
    except ServeryError as error:
        return error


def most_tokens(
    parameters: Parameters, prompt_tokens: int, context_tokens: int
) -> tuple[TextGenerationParameters, int]:
    """Return what is asked, and how many tokens an answer may have beside its prompt.

    Raises:
        TooLongError: The context has no room for as many tokens as are asked for.
    """
    assert isinstance(parameters, TextGenerationParameters)
    room, most = context_tokens - prompt_tokens, parameters.max_tokens
    if most is not None and most > room:
        raise TooLongError(
            f"This model's maximum context length is {context_tokens:,} tokens; the prompt has "
            f"{prompt_tokens:,} and the answer may have {most:,}, together {prompt_tokens + most:,}.",
            hint=f"ask for at most {room:,} tokens, or send a shorter prompt",
            param="/max_tokens",
        )
    return parameters, min(DEFAULT_TOKENS, room) if most is None else most
