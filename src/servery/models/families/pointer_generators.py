"""A network that writes summaries and copies where it has no words of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from servery.data.columns import Column
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.articles import Articles
from servery.models.encoders.subwords import Subwords
from servery.models.families._examples import EncodedExamples
from servery.models.families._measures import mean_tokens
from servery.models.families._network import NetworkSize
from servery.models.families._pairs import PairExamples
from servery.models.families._writing import WRITING_TRAINING, WritingObjective, WritingRecipe
from servery.models.families.extractive import one_text
from servery.models.recipe import Objective, Work
from servery.nn.networks.pointer_generator import PointerGenerator
from servery.tasks.task import LearnableTask

MOST_WRITTEN = 64
"""Tokens of a summary in the estimate."""


class PointerGeneratorRecipe(WritingRecipe):
    """Subwords are read and written; each summary's first reference is learned."""

    name = "pointer-generator"
    title = "Pointer-generator with coverage"
    summary = (
        "Two LSTMs with a look at what is read; each word is written or copied, and looking twice at one place is "
        "costly (See, Liu, Manning 2017, section 2)."
    )
    tasks = frozenset({"summarization"})
    network = "pointer_generator"
    shape = ("hidden_size",)
    smallest_batch = 16
    least_steps = 1500
    defaults = {
        **WRITING_TRAINING,
        "vocabulary_size": 4_000,
        "max_tokens": 320,
        "embedding_size": 128,
        "hidden_size": 192,
        "learning_rate": 3e-3,
        "label_smoothing": 0.0,
        "coverage": 1.0,
    }
    search_space = {"learning_rate": (1e-3, 3e-3), "hidden_size": (128, 192, 256), "coverage": (0.0, 1.0)}

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the column of texts."""
        return one_text(dataset)

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Subwords:
        """Learn the subwords of texts and summaries."""
        references = work.task.encode_targets(work.train, ())
        summaries = [texts[0] for texts in references]
        encoder = Articles.fit(
            examples,
            [column.name for column in columns],
            summaries,
            work.train.target.name,
            vocabulary_size=work.hyperparameters["vocabulary_size"],
            max_tokens=work.hyperparameters["max_tokens"],
        )
        assert isinstance(encoder, Articles)
        lengths = [len(row) for row in encoder.written_rows(summaries)]
        encoder.longest_written = int(np.percentile(lengths, 98))
        work.progress.say("Encode", f"{encoder.vocabulary_size:,} subwords")
        return encoder

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Encode texts with their first reference, cut at max_tokens."""
        assert isinstance(encoder, Subwords)
        written = encoder.written_rows([texts[0] for texts in targets])
        return PairExamples(encoder.read_rows(rows), written, rows, targets, encoder)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the arguments without a bound on what can be written: all can be copied."""
        found = super().arguments(work, encoder, examples, labels)
        return {name: value for name, value in found.items() if name != "written_size"}

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the cross entropy of what is written, and the cost of looking twice."""
        assert isinstance(validation, PairExamples)
        return CoverageObjective(work.task, validation, hyperparameters)

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Estimate from the mean number of tokens and the vocabulary; each step looks at all that was read."""
        read = mean_tokens(dataset, hyperparameters["max_tokens"])
        written = min(read / 4 + 1, MOST_WRITTEN)
        hidden, vector = hyperparameters["hidden_size"], hyperparameters["embedding_size"]
        reader, writer = 4 * hidden * (vector + hidden // 2) + hidden**2, 4 * hidden * (vector + hidden)
        tokens = float(hyperparameters["vocabulary_size"] * vector)
        looks = 3 * read * written * hidden
        return NetworkSize(
            read * reader + written * (writer + tokens + 2 * hidden * vector) + looks,
            reader + writer + tokens,
            16 * (read + written),
            f"about {read:.0f} tokens each",
        )


class CoverageObjective(WritingObjective):
    """Adds how much the network looks where it has looked before.

    Source: See, Liu, Manning (2017), section 2.3, equation 12.
    """

    def __init__(
        self, task: LearnableTask, validation: PairExamples, hyperparameters: Mapping[str, Any]
    ) -> None:
        super().__init__(task, validation, hyperparameters)
        self.coverage = float(hyperparameters["coverage"])

    def loss(self, network: PointerGenerator, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:  # type: ignore[override]
        """Return the mean loss of a token, a scalar."""
        chances, repeated = network.with_repetition(**inputs)
        is_said = targets != 0
        loss = self.cross_entropy(chances, targets)
        return loss + self.coverage * (repeated.float() * is_said).sum() / is_said.sum()


POINTER_GENERATOR = PointerGeneratorRecipe()
