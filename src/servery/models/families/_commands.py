"""What the recipes that understand commands have in common: training examples and the loss of a whole meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import text_of
from servery.models.encoders.tagged_words import TaggedWords
from servery.models.families._examples import EncodedExamples
from servery.models.families._ragged_outputs import ragged_outputs
from servery.models.families._tagged_examples import SwappedExamples
from servery.models.families._tagging import TAGGER_TRAINING, TaggerRecipe
from servery.models.recipe import Objective, Work
from servery.nn.linear_chain import chain_loss
from servery.nn.network import Network
from servery.tasks._chains import PLACES, tag_count
from servery.tasks._frames import FrameLabels
from servery.tasks.command_understanding import CommandUnderstanding
from servery.tasks.task import Calibration

TASKS = frozenset({"command-understanding"})
VALIDATION_BATCH = 128
NO_INTENT = -100
"""Of a row whose intent is none that is learned; torch's cross entropy leaves it out."""

COMMAND_TRAINING: Mapping[str, Any] = {
    **TAGGER_TRAINING,
    "learning_rate": 4e-3,
    "swapped_spans": 0.6,
    "word_dropout": 0.1,
    "dropout": 0.4,
}


class CommandExamples(SwappedExamples):
    """Commands in memory with intents, meant values and tags; places in a text take values from other commands.

    Args:
        rows: The encoder's arrays of each text, (words, ...).
        wanted: What is right of each, objects.
        labels: The model's labels.
        share: Of the places whose value is exchanged in training.
    """

    def __init__(self, rows: Sequence[Batch], wanted: np.ndarray, labels: FrameLabels, share: float) -> None:
        spans = np.empty(len(wanted), object)
        for row, one in enumerate(wanted):
            spans[row] = one.spans
        super().__init__(rows, spans, share)
        self.wanted = wanted
        intents = [one.intent if one.intent >= 0 else NO_INTENT for one in wanted]
        self.intents = torch.tensor(intents, dtype=torch.int64)
        self.meant = torch.zeros(len(wanted), len(labels.meant))
        for row, one in enumerate(wanted):
            self.meant[row, one.meant] = 1.0

    def batch(  # type: ignore[override]
        self, rows: np.ndarray, seed: int, epoch: int, step: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the arrays of these rows, and their intents, meant values and tags."""
        inputs, tags = super().batch(rows, seed, epoch, step)
        chosen = torch.from_numpy(rows)
        return inputs, {"intents": self.intents[chosen], "meant": self.meant[chosen], "tags": tags}


class CommandObjective:
    """The mean of -log of the likelihood of intent, meant values and tags together.

    Source: Liu and Lane (2016), section 3.2: the two losses are added.

    Args:
        task: Measures the validation outputs; knows its labels.
        validation: Encoded validation examples.
        labels: The model's labels.
    """

    def __init__(self, task: CommandUnderstanding, validation: CommandExamples, labels: FrameLabels) -> None:
        self.task, self.validation, self.labels = task, validation, labels
        self.primary_metric = task.primary_metric

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        """Return the loss of a batch, a scalar."""
        outputs = network(**inputs).float()
        lines, intents = self.labels.lines, len(self.labels.intents)
        decided = outputs[:, :lines].flatten(1)[:, : self.labels.decisions]
        of_intent = functional.cross_entropy(decided[:, :intents], targets["intents"], ignore_index=NO_INTENT)
        of_values = functional.binary_cross_entropy_with_logits(
            decided[:, intents:], targets["meant"], reduction="none"
        )
        words = outputs[:, lines:]
        tags = tag_count(len(self.labels.said))
        is_word = inputs["places"][:, :, 1] > 0
        of_tags = chain_loss(words[:, tags:, PLACES:], words[0, :tags, PLACES:], targets["tags"], is_word)
        return of_intent + of_values.sum(dim=1).mean() + of_tags.mean()

    def validate(self, network: Network) -> dict[str, float]:
        """Return the metrics of the validation part."""
        # No temperature changes what is said.
        return self.task.measure(self.validation.wanted, self.outputs(network), Calibration())

    def outputs(self, network: Network) -> np.ndarray:
        """Return the outputs of the validation part, objects, (rows,)."""
        return ragged_outputs(network, self.validation, VALIDATION_BATCH)


class CommandRecipe(TaggerRecipe):
    """A tagger whose body also decides on the whole command: words are read once, for the intent and for the slots."""

    tasks = TASKS
    network = "command_reader"
    has_transitions = True
    least_steps = 3_000

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> CommandExamples:
        """Encode the commands."""
        assert isinstance(encoder, TaggedWords)
        encoded = [encoder.row(text_of(row, encoder.columns), cut=True) for row in rows]
        share = work.hyperparameters["swapped_spans"] if is_training else 0.0
        return CommandExamples(encoded, targets, _labels_of(work), share)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the tagger's, and how many decisions there are; its tags always depend on each other."""
        frames = _labels_of(work)
        found = super().arguments(work, encoder, examples, len(frames.said))
        del found["has_transitions"]
        return {**found, "decisions": frames.decisions}

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the loss of whole meanings."""
        assert isinstance(validation, CommandExamples)
        assert isinstance(work.task, CommandUnderstanding)
        known = work.task.labels_of(work.train)
        return CommandObjective(work.task.with_labels(known), validation, FrameLabels.of(known))


def _labels_of(work: Work) -> FrameLabels:
    return FrameLabels.of(work.task.labels_of(work.train))
