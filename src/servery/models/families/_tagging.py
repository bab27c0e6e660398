"""What the recipes that tag words have in common: training examples, the loss of a chain, estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders._words import text_of
from servery.models.encoders.tagged_words import TaggedWords
from servery.models.families._assembly import columns_for
from servery.models.families._examples import EncodedExamples
from servery.models.families._measures import mean_characters
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.families._ragged_outputs import ragged_outputs
from servery.models.families._tagged_examples import SwappedExamples, TaggedExamples
from servery.models.recipe import Objective, Work
from servery.nn.linear_chain import chain_loss
from servery.nn.network import Network
from servery.tasks._chains import PLACES
from servery.tasks.tagging import Tagging

CHARACTERS_PER_WORD = 5.0
VALIDATION_BATCH = 128

TAGGER_TRAINING: Mapping[str, Any] = {
    **{name: value for name, value in TRAINING.items() if name not in ("label_smoothing", "class_weights")},
    "vocabulary_size": 20_000,
    "max_words": 4_000,
    "word_size": 64,
    "shape_size": 16,
    "affix_size": 32,
    "character_filters": 32,
    "hidden_size": 96,
    "num_layers": 1,
    "word_dropout": 0.2,
    "embedding_dropout": 0.3,
    "dropout": 0.5,
    "swapped_spans": 0.0,
}


class ChainObjective:
    """The mean over the words of -log of the likelihood of their tags; watched is what the task measures.

    Args:
        task: Measures the validation outputs.
        validation: Encoded validation examples.
    """

    def __init__(self, task: Tagging, validation: TaggedExamples) -> None:
        self.task = task
        self.primary_metric = task.primary_metric
        self.validation = validation

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar."""
        outputs = network(**inputs).float()
        tags = outputs.shape[2] - PLACES
        is_word = inputs["places"][:, :, 1] > 0
        losses = chain_loss(outputs[:, tags:, PLACES:], outputs[0, :tags, PLACES:], targets, is_word)
        return losses.sum() / is_word.sum().clamp(min=1)

    def validate(self, network: Network) -> dict[str, float]:
        """Return the metrics of the validation part, entities said as readily as the finished model will."""
        spans, outputs = self.validation.spans, self.outputs(network)
        return self.task.measure(spans, outputs, self.task.tuned(spans, outputs))

    def outputs(self, network: Network) -> np.ndarray:
        """Return the outputs of the validation part, objects, (rows,)."""
        return ragged_outputs(network, self.validation, VALIDATION_BATCH)


class TaggerRecipe(NetworkRecipe):
    """A network that tags words by what is known of them and their neighbours."""

    form = "text"
    tasks = frozenset({"tagging"})
    network = "word_tagger"
    body: ClassVar[str]
    has_transitions: ClassVar[bool]
    least_steps = 1_200
    largest_batch = 32
    smallest_batch = 8
    rows_per_batch_row = 100

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the text column."""
        return columns_for(dataset, frozenset({Kind.TEXT}))

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> TaggedWords:
        """Learn the words of the training texts."""
        return TaggedWords.fit(
            examples,
            [column.name for column in columns],
            vocabulary_size=work.hyperparameters["vocabulary_size"],
            max_words=work.hyperparameters["max_words"],
        )

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> TaggedExamples:
        """Encode the texts; how many spans end within a word is said."""
        assert isinstance(encoder, TaggedWords)
        encoded = [encoder.row(text_of(row, encoder.columns), cut=True) for row in rows]
        if not is_training:
            return TaggedExamples(encoded, targets)
        made = SwappedExamples(encoded, targets, work.hyperparameters["swapped_spans"])
        say_words(work, encoder, made)
        return made

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the hyperparameters that shape the network, and the sizes found in the data."""
        assert isinstance(encoder, TaggedWords)
        shape = {name: work.hyperparameters[name] for name in SHAPE}
        return {
            "counts": encoder.counts,
            "body": self.body,
            "has_transitions": self.has_transitions,
            "labels": labels,
            **shape,
        }

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the loss of whole chains."""
        assert isinstance(validation, TaggedExamples)
        assert isinstance(work.task, Tagging)
        return ChainObjective(work.task, validation)

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Estimate from the mean number of words and the vocabulary."""
        words = mean_characters(dataset) / CHARACTERS_PER_WORD + 1
        sizes = ("word_size", "shape_size", "affix_size", "character_filters")
        features = sum(hyperparameters[name] for name in sizes)
        hidden, layers = hyperparameters["hidden_size"], hyperparameters["num_layers"]
        spelled = 16 * 3 * 32 * hyperparameters["character_filters"]
        a_word = spelled + layers * 8 * hidden * (features + hidden)
        vocabulary = min(hyperparameters["vocabulary_size"], 0.2 * words * len(dataset))
        weights = vocabulary * hyperparameters["word_size"] + a_word
        # A chain's loss goes word by word: small steps that cost more than their multiplications.
        return NetworkSize(words * (a_word + 200_000), weights, 220 * words, f"about {words:.0f} words each")


SHAPE = (
    *("word_size", "shape_size", "affix_size", "character_filters", "hidden_size", "num_layers"),
    *("word_dropout", "embedding_dropout", "dropout", "max_words"),
)
"""Hyperparameters that are the network's arguments of the same name."""


def say_words(work: Work, encoder: TaggedWords, examples: TaggedExamples) -> None:
    """Tell how many words are known, and how many spans can never be found."""
    crossed = examples.crossed()
    more = f"; {crossed:,} spans begin or end within a word and cannot be found exactly" if crossed else ""
    work.progress.say("Encode", f"{len(encoder.words):,} words known{more}")
