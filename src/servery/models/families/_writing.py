"""What all recipes have in common that learn to read one text and write another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoder import Batch, Encoder
from servery.models.encoders.subwords import Subwords
from servery.models.families._assembly import columns_for
from servery.models.families._examples import EncodedExamples
from servery.models.families._measures import mean_tokens
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.families._pairs import PairExamples
from servery.models.pieces import PADDING
from servery.models.recipe import Objective, Work
from servery.models.runtime import Runtime
from servery.models.runtimes.torch_translator import TorchReader, TorchTranslator
from servery.models.writing import write
from servery.nn.network import Network
from servery.nn.sequence_to_sequence import SequenceToSequence
from servery.tasks.task import Calibration, LearnableTask

WRITING_TRAINING: Mapping[str, Any] = {
    **TRAINING,
    "precision": "native",
    "label_smoothing": 0.1,
    "gradient_clip": 1.0,
    "vocabulary_size": 6_000,
    "max_tokens": 96,
    "token_dropout": 0.1,
    "embedding_dropout": 0.2,
    "dropout": 0.3,
}
VALIDATION_ROWS = 500
"""Texts that are written after each epoch, the likeliest token each time: enough to see which epoch is better."""
VALIDATION_BATCH = 128


class WritingRecipe(NetworkRecipe):
    """Subwords are read and written; the tokens' vectors are shared by both sides."""

    form = "text"
    tasks = frozenset({"translation"})
    shape: ClassVar[tuple[str, ...]]
    """Hyperparameters that are the network's arguments of the same name."""
    least_steps = 2800
    smallest_batch = 32
    multiplications_per_second = 40e9

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the text columns."""
        return columns_for(dataset, frozenset({Kind.TEXT}))

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Subwords:
        """Learn the subwords of both sides of the training pairs."""
        encoder = Subwords.fit(
            examples,
            [column.name for column in columns],
            [text or "" for text in work.train[work.train.target.name]],
            work.train.target.name,
            vocabulary_size=work.hyperparameters["vocabulary_size"],
            max_tokens=work.hyperparameters["max_tokens"],
        )
        work.progress.say(
            "Encode", f"{encoder.vocabulary_size:,} subwords, {encoder.written_size:,} of them can be written"
        )
        return encoder

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Encode the pairs, cut at max_tokens."""
        assert isinstance(encoder, Subwords)
        written = encoder.written_rows(targets.tolist())
        return PairExamples(encoder.read_rows(rows), written, rows, targets, encoder)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the hyperparameters that shape the network, and the sizes found in the data."""
        assert isinstance(encoder, Subwords)
        return {
            **{name: work.hyperparameters[name] for name in (*self.shape, *NOISE)},
            "vocabulary_size": encoder.vocabulary_size,
            "written_size": encoder.written_size,
        }

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the cross entropy of what is written."""
        assert isinstance(validation, PairExamples)
        return WritingObjective(work.task, validation, hyperparameters)

    def sizes(self, rows: int, hyperparameters: Mapping[str, Any]) -> dict[str, int]:
        """Return batch size, epochs and patience; unasked it never ends early.

        Until whole words come out right there is no BLEU to tell one epoch from the next.
        """
        sizes = super().sizes(rows, hyperparameters)
        return {**sizes, "patience": int(hyperparameters["patience"]) or sizes["epochs"]}

    def runtime(self, network: Network, encoder: Encoder) -> Runtime:
        """Return the network with what it takes to write texts."""
        assert isinstance(network, SequenceToSequence)
        assert isinstance(encoder, Subwords)
        return TorchTranslator(network, encoder.pieces(), encoder.max_tokens)

    def weights_of_a_pair(
        self, hyperparameters: Mapping[str, Any], read: float, written: float
    ) -> tuple[float, float]:
        """Return multiplications of the network for so many tokens, and its weights, without those of the tokens."""
        raise NotImplementedError

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Estimate from the mean number of tokens and the vocabulary."""
        read = mean_tokens(dataset, hyperparameters["max_tokens"])
        multiplications, weights = self.weights_of_a_pair(hyperparameters, read, read)
        tokens = hyperparameters["vocabulary_size"] * hyperparameters["embedding_size"]
        return NetworkSize(
            multiplications + WRITTEN_SHARE * read * tokens,
            weights + tokens,
            48 * read,
            f"about {read:.0f} tokens each",
        )


NOISE = ("embedding_size", "token_dropout", "embedding_dropout", "dropout")
WRITTEN_SHARE = 0.5
"""Of the vocabulary, about as much can be written."""


class WritingObjective:
    """Cross entropy of each token given those before it, smoothed; watched by what is really written.

    Source of the smoothing: Szegedy et al. (2016), Rethinking the inception architecture, section 7.

    Args:
        task: Measures what was written.
        validation: Pairs of the validation part.
        hyperparameters: Gives label_smoothing.
    """

    def __init__(
        self, task: LearnableTask, validation: PairExamples, hyperparameters: Mapping[str, Any]
    ) -> None:
        self.task = task
        self.primary_metric = task.primary_metric
        self.smoothing = float(hyperparameters["label_smoothing"])
        rows = np.arange(min(len(validation), VALIDATION_ROWS))
        self.rows = rows[np.argsort(validation.sorted_by[rows], kind="stable")]
        self.validation = validation

    def loss(self, network: SequenceToSequence, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the mean loss of a token, a scalar."""
        return self.cross_entropy(network(**inputs), targets)

    def cross_entropy(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a token, a scalar; padding counts for nothing."""
        return functional.cross_entropy(
            logits.flatten(0, 1).float(),
            targets.flatten(),
            ignore_index=PADDING,
            label_smoothing=self.smoothing,
        )

    def validate(self, network: SequenceToSequence) -> dict[str, float]:
        """Return the metrics of texts written with the likeliest token each time."""
        encoder, reader = self.validation.encoder, TorchReader(network)
        outputs = []
        for start in range(0, len(self.rows), VALIDATION_BATCH):
            examples = [self.validation.rows[row] for row in self.rows[start : start + VALIDATION_BATCH]]
            batch: Batch = encoder.encode(examples, cut=True)
            batch["beam_size"] = np.ones_like(batch["beam_size"])
            outputs.append(write(reader, batch, self.pieces, encoder.max_tokens))
        return self.task.measure(self.validation.texts[self.rows], np.concatenate(outputs), Calibration())

    @property
    def pieces(self) -> list[str]:
        """What each token stands for."""
        return self.validation.encoder.pieces()
