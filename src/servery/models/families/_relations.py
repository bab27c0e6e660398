"""What the recipes of relation networks have in common: words around two entities, estimates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoder import Batch, Encoder
from servery.models.encoders.marked_words import DISTANCES, MarkedWords
from servery.models.encoders.tagged_words import MOST_CHARACTERS, padded
from servery.models.families._assembly import columns_for
from servery.models.families._examples import EncodedExamples, TokenExamples
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.recipe import Work

FORM = "marked-text"
TASKS = frozenset({"relation-extraction"})
SYMBOL_SIZE, FILTER_WIDTH = 32, 3
"""Of the filters over a word's characters, see `WordFeatures`."""

RELATION_TRAINING: Mapping[str, Any] = {
    **TRAINING,
    "vocabulary_size": 20_000,
    "context": 6,
    "max_words": 100,
    "word_size": 96,
    "shape_size": 8,
    "affix_size": 64,
    "character_filters": 32,
    "distance_size": 16,
    "word_dropout": 0.1,
    "embedding_dropout": 0.4,
    "dropout": 0.5,
}
FEATURES = ("word_size", "shape_size", "affix_size", "character_filters", "word_dropout")


class MarkedExamples(TokenExamples):
    """Rows of words around two entities, padded batch by batch.

    Args:
        rows: The encoder's arrays of each text, (words, ...).
        targets: int64, (rows,).
    """

    def __init__(self, rows: Sequence[Batch], targets: np.ndarray) -> None:
        super().__init__([row["words"].tolist() for row in rows], targets)
        self._rows = rows

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return the arrays of these rows, padded."""
        batch = padded([self._rows[row] for row in rows.tolist()])
        return {name: torch.from_numpy(array) for name, array in batch.items()}


def marked_column(dataset: Dataset) -> tuple[Column, ...]:
    """Return the one input: the marked text.

    Raises:
        DataError: There is none.
    """
    return columns_for(dataset, frozenset({Kind.MARKED_TEXT}))[:1]


def mean_words(dataset: Dataset, context: int) -> float:
    """Return about how many words of a text are read."""
    texts = [text or "" for text in dataset[marked_column(dataset)[0].name][:500]]
    between = [len(text[text.find("</e1>") : text.rfind("<e2>")].split()) for text in texts]
    return float(np.mean(between) + 2 * context + 3) if between else 1.0


class RelationRecipe(NetworkRecipe):
    """A network that reads the words around two entities."""

    form = FORM
    tasks = TASKS
    least_steps = 1_500
    largest_batch = 32
    smallest_batch = 16
    shape: ClassVar[tuple[str, ...]]
    """Hyperparameters that are the network's arguments of the same name."""

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the marked text."""
        return marked_column(dataset)

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> MarkedWords:
        """Learn the words of the training texts."""
        settings = {name: work.hyperparameters[name] for name in ("vocabulary_size", "context", "max_words")}
        return MarkedWords.fit(examples, columns[0].name, **settings)

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> MarkedExamples:
        """Encode the words around the entities."""
        assert isinstance(encoder, MarkedWords)
        return MarkedExamples([encoder.row(row, True) for row in rows], targets)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the hyperparameters that shape the network, and the sizes found in the data."""
        assert isinstance(encoder, MarkedWords)
        settings = work.hyperparameters
        features = {name: settings[name] for name in FEATURES}
        return {
            "features": {
                "counts": encoder.words.counts,
                **features,
                "dropout": settings["embedding_dropout"],
            },
            "distances": DISTANCES,
            "labels": labels,
            **{name: settings[name] for name in ("distance_size", "dropout", *self.shape)},
        }

    @abstractmethod
    def weights_of_a_word(self, hyperparameters: Mapping[str, Any], features: int) -> float:
        """Return how many multiplications one word of so many features takes."""

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Estimate from the mean number of words and the vocabulary."""
        words = mean_words(dataset, hyperparameters["context"])
        features = sum(hyperparameters[name] for name in FEATURES[:4]) + 2 * hyperparameters["distance_size"]
        spelled = MOST_CHARACTERS * FILTER_WIDTH * SYMBOL_SIZE * hyperparameters["character_filters"]
        a_word = self.weights_of_a_word(hyperparameters, features) + spelled
        vocabulary = min(hyperparameters["vocabulary_size"], 2 * len(dataset))
        weights = vocabulary * hyperparameters["word_size"] + a_word
        return NetworkSize(words * a_word, weights, 250 * words, f"about {words:.0f} words each")
