"""Text generation: how does this text go on?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.tasks._hub_text import hub_question
from servery.tasks._scores import texts
from servery.tasks.generated_text import (
    DEFAULT_TOKENS,
    TextGenerationAnswer,
    TextGenerationParameters,
    TextPiece,
)
from servery.tasks.growing import GrowingHubQuestion, GrowingTask
from servery.tasks.task import Answer

MARKS = 8
"""Tokens that a model may add around a prompt."""


class TextGeneration(GrowingTask):
    """A text that goes on where the prompt ends."""

    name = "text-generation"
    title = {"en": "Text generation", "zh": "文本生成"}
    summary = "How does this text go on?"
    unit = "tokens"
    parameters = TextGenerationParameters
    answer = TextGenerationAnswer
    piece = TextPiece

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "text"."""
        return (Column("text", Kind.TEXT, Role.TARGET),)

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the texts, (rows,)."""
        return {
            "text": texts([answer.text for answer in answers if isinstance(answer, TextGenerationAnswer)])
        }

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "text-generation"."""
        return "text-generation"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a text an input."""
        return [{"generated_text": a.text} for a in answers if isinstance(a, TextGenerationAnswer)]

    def hub_asked(self, sent: Mapping[str, Any]) -> GrowingHubQuestion:
        """Read the parameters of `InferenceClient.text_generation`.

        Raises:
            InputError: One of them cannot be, or is none that this task has.
        """
        return hub_question(sent)

    def most_units(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Return the bytes of the prompts, since no token is shorter, and as many tokens as an answer gets unasked."""
        size = sum(len(str(text).encode()) for example in examples for text in example.values())
        return size + len(examples) * (DEFAULT_TOKENS + MARKS)

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Return the tokens of prompts and answers."""
        return sum(
            a.prompt_tokens + a.completion_tokens for a in answers if isinstance(a, TextGenerationAnswer)
        )


TEXT_GENERATION = TextGeneration()
