"""A text that is being generated: what may be asked of it, its pieces, its tokens, and the whole."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servery.tasks.growing import Piece
from servery.tasks.task import Answer, Parameters

MOST_TOKENS = 2**20
MOST_ALTERNATIVES = 20
DEFAULT_TOKENS = 256
"""Most tokens of an answer where nobody says, or as many as the model's context has room for."""

Stop = Annotated[str, Meta(min_length=1, max_length=256)]
TokenName = Annotated[str, Meta(max_length=10, pattern="^[0-9]+$")]
Bias = Annotated[float, Meta(ge=-100, le=100)]
FinishReason = Literal["end", "stop", "length"]


class TextGenerationParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        max_tokens: Most tokens of the answer; null for 256, or as many as the context has room for.
        temperature: 0 always takes the likeliest token; 1 draws as the model says; more draws more evenly.
        top_p: Draw only from the likeliest tokens that together have this chance.
        top_k: Draw only from this many of the likeliest tokens.
        seed: The same seed gives the same text, whatever else the server does; null for any.
        stop: Texts before which the answer ends.
        logprobs: Tell the log of each token's chance, and this many likelier or next likely ones.
        repetition_penalty: Above 1, tokens of prompt and answer come less likely again (Keskar et al. 2019, 4.1).
        frequency_penalty: Taken off a token's logit for each time the answer has it.
        presence_penalty: Taken off a token's logit once the answer has it.
        logit_bias: Number of a token, as a text, to what is added to its logit.
    """

    max_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=100)] = 1.0
    top_p: Annotated[float, Meta(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: Stop | Annotated[tuple[Stop, ...], Meta(max_length=16)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=MOST_ALTERNATIVES)] | None = None
    repetition_penalty: Annotated[float, Meta(ge=0.01, le=100)] = 1.0
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] = 0.0
    logit_bias: Annotated[dict[TokenName, Bias], Meta(max_length=1024)] = {}

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts before which the answer ends."""
        return (self.stop,) if isinstance(self.stop, str) else self.stop or ()


class Alternative(msgspec.Struct, frozen=True):
    """A token that could have come, and the natural log of its chance."""

    id: int
    text: str
    bytes: tuple[int, ...]
    logprob: float


class Token(msgspec.Struct, frozen=True):
    """A token of an answer.

    Attributes:
        id: Its number.
        text: What it reads as alone; half a character reads as U+FFFD.
        bytes: What it adds to the text, in UTF-8.
        logprob: Natural log of its chance as the model saw it, before temperature, penalties and choice.
        is_special: Whether it is a mark, e.g. of the end, and no text.
        alternatives: The likeliest tokens at its place, from the best down.
    """

    id: int
    text: str
    bytes: tuple[int, ...]
    logprob: float
    is_special: bool = False
    alternatives: tuple[Alternative, ...] = ()


class TextPiece(Piece, frozen=True):
    """What one step added.

    Attributes:
        text: New text; whole characters only. May be empty: half a character, or what may begin a stop text, waits.
        token: The token of this step, where log chances were asked for.
        finish_reason: With the last piece: "end" (the model's own), "stop" (a stop text) or "length".
    """

    text: str
    token: Token | None = None
    finish_reason: FinishReason | None = None


class TextGenerationAnswer(Answer, frozen=True):
    """A text that was grown.

    Attributes:
        text: Without the prompt and without the stop text.
        finish_reason: "end" (the model's own), "stop" (a stop text) or "length"; null while it grows.
        prompt_tokens: Tokens of the prompt.
        completion_tokens: Tokens put out, the one that ended the text included.
        seed: Gives the same text again.
        tokens: Every token put out, where log chances were asked for.
    """

    text: str
    finish_reason: FinishReason | None
    prompt_tokens: int
    completion_tokens: int
    seed: int
    tokens: tuple[Token, ...] = ()
