"""Text generation: how does this text go on?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.metrics.likelihood import likelihood, unigram_nats
from servery.tasks._hub_text import hub_question
from servery.tasks._scores import texts
from servery.tasks.generated_text import (
    DEFAULT_TOKENS,
    TextGenerationAnswer,
    TextGenerationParameters,
    TextPiece,
)
from servery.tasks.growing import GrowingHubQuestion, GrowingTask
from servery.tasks.task import Answer, Calibration, LearnableTask

MARKS = 8
"""Tokens that a model may add around a prompt."""


class TextGeneration(GrowingTask, LearnableTask):
    """A text that goes on where the prompt ends.

    What is learned and judged is a language model: rows are texts that end with a passage (`data.passages`), and each
    character of the passage is foretold from all before it. `outputs` of a row are the tokens of its text, float32,
    (tokens, 2): the log of each one's chance, and how many characters of the text come after it. Targets are the
    passages; tokens that end before a passage begins count for nothing.
    """

    name = "text-generation"
    title = {"en": "Text generation", "zh": "文本生成"}
    summary = "How does this text go on?"
    unit = "tokens"
    parameters = TextGenerationParameters
    answer = TextGenerationAnswer
    piece = TextPiece
    primary_metric = "character_chance"
    quality_title = "chance given to a right character, its geometric mean"

    def accepts(self, target: Column) -> bool:
        """Whether the target is a text."""
        return target.kind is Kind.TEXT

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the passages, objects, (rows,)."""
        return np.array(dataset[dataset.target.name], dtype=object)

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return chance, nats and bits of a character, and perplexity of a token."""
        return Likelihoods.of(targets, outputs).measure(np.arange(len(targets)))

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Likelihoods:
        """Return the sums of each row, so that any choice of rows is measured at once."""
        return Likelihoods.of(targets, outputs)

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return what knowing only how frequent characters are costs, of one character, (rows, 1)."""
        return np.full((rows, 1), -unigram_nats(targets.tolist()), np.float32)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return the chance of a right character of each row, its geometric mean."""
        found = Likelihoods.of(targets, outputs)
        return np.asarray(np.exp(-found.nats / found.characters))

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


@dataclass(frozen=True)
class Likelihoods:
    """What each passage cost: its nats, its characters and its tokens, float64, (rows,)."""

    nats: np.ndarray
    characters: np.ndarray
    tokens: np.ndarray

    @classmethod
    def of(cls, targets: np.ndarray, outputs: np.ndarray) -> Likelihoods:
        """Sum up the tokens of each passage; a row that is one number says what every character costs."""
        characters = np.array([len(passage) for passage in targets], np.float64)
        nats, tokens = np.zeros(len(targets)), np.zeros(len(targets))
        for row, output in enumerate(outputs):
            if output.ndim == 1:
                nats[row], tokens[row] = -characters[row] * output[0], characters[row]
                continue
            is_asked = output[:, 1] < characters[row]
            nats[row], tokens[row] = -output[is_asked, 0].sum(dtype=np.float64), is_asked.sum()
        return cls(nats, characters, tokens)

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows."""
        return likelihood(self.nats[rows].sum(), self.characters[rows].sum(), self.tokens[rows].sum())

    def primary(self, rows: np.ndarray) -> float:
        """Return the chance of a character on these rows."""
        return self.measure(rows)["character_chance"]


TEXT_GENERATION = TextGeneration()
