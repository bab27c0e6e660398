"""What the recipes of speech networks have in common: spectrograms, augmentation, for transcription the CTC loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from servery.data.audio import described
from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.log_mel import LogMel
from servery.models.families._assembly import columns_for
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.families._ragged_outputs import ragged_outputs
from servery.models.families._spectrograms import SpectrogramExamples, SpeechAugmentation
from servery.models.recipe import Made, Objective, Work
from servery.nn.network import Network
from servery.tasks.task import Calibration, LearnableTask

SAMPLED_RECORDINGS = 256
HIGHEST_LEARNED_RATE = 16_000
"""Samples a second: what speech has above half of it is not missed (ITU-T G.722, wideband speech, 50 to 7,000 Hz)."""
FRAME_SECONDS = 0.025
VALIDATION_BATCH = 64

SPEECH_TRAINING: Mapping[str, Any] = {
    **TRAINING,
    "bands": 40,
    "hop_seconds": 0.01,
    "max_seconds": 60.0,
    "speed": 0.15,
    "pitch": 0.1,
    "gain_decibels": 6.0,
    "noise_share": 0.5,
    "hole_seconds": 0.1,
    "hole_bands": 0.2,
    "dropout": 0.2,
}
CTC_TRAINING: Mapping[str, Any] = {
    name: value
    for name, value in {
        **SPEECH_TRAINING,
        "learning_rate": 4e-3,
        "hop_seconds": 0.02,
        "max_seconds": 600.0,
        "speed": 0.1,
        "gain_decibels": 2.0,
        "noise_share": 0.3,
        "hole_seconds": 0.05,
        "hole_bands": 0.1,
    }.items()
    if name not in ("label_smoothing", "class_weights")
}
"""With frames half as dense as for labels: the networks begin to speak several times sooner (experiment on the sample),
and Sak et al. (2015), Fast and accurate recurrent neural network acoustic models, section 4, lose no accuracy;
and with less augmentation, which keeps them from ever beginning (experiment on connected-digits).
"""


class SpeechNetworkRecipe(NetworkRecipe):
    """A network that reads the spectrogram of one column of recordings and answers with labels."""

    form = "audio"
    least_steps = 1_600
    largest_batch = 64
    smallest_batch = 8
    rows_per_batch_row = 40
    least_epochs = 8
    most_epochs = 60
    is_sequence = False

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the first column of recordings."""
        return columns_for(dataset, frozenset({Kind.AUDIO}))[:1]

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> LogMel:
        """Take the median rate of the training recordings, 16,000 at most."""
        name = columns[0].name
        step = max(len(examples) // SAMPLED_RECORDINGS, 1)
        rates = [described(example[name]).rate for example in examples[::step]]
        rate = int(min(np.median(rates), HIGHEST_LEARNED_RATE))
        hyperparameters = work.hyperparameters
        encoder = LogMel(
            name,
            rate,
            round(FRAME_SECONDS * rate),
            round(hyperparameters["hop_seconds"] * rate),
            hyperparameters["bands"],
            hyperparameters["max_seconds"],
        )
        work.progress.say(
            "Encode",
            f"{rate:,} samples a second, {encoder.bands} bands, {rate / encoder.hop:.0f} frames a second",
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
        """Make the spectrograms; training ones are changed at random, batch by batch."""
        assert isinstance(encoder, LogMel)
        augmentation = SpeechAugmentation.of(work.hyperparameters, encoder) if is_training else None
        return SpectrogramExamples(encoder, rows, targets, augmentation)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the bands' statistics and the end; a recipe adds its layers."""
        assert isinstance(examples, SpectrogramExamples)
        means, deviations = examples.statistics()
        return {
            "means": means,
            "deviations": deviations,
            "labels": labels,
            "is_sequence": self.is_sequence,
            "dropout": work.hyperparameters["dropout"],
        }

    def make(self, work: Work) -> Made:
        """Encode, build, train; the model takes recordings as long as it reads."""
        made = super().make(work)
        signature = made.predictor.signature
        limits = replace(signature.limits, max_audio_seconds=int(work.hyperparameters["max_seconds"]))
        return replace(made, predictor=replace(made.predictor, signature=replace(signature, limits=limits)))

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the multiplications of each pair of frames, and the frames."""
        name = self.columns(dataset)[0].name
        step = max(len(dataset) // SAMPLED_RECORDINGS, 1)
        recordings = dataset[name][::step]
        seconds = float(np.mean([described(recording).seconds for recording in recordings]))
        pairs = seconds / hyperparameters["hop_seconds"] / 2
        products, weights = self.size_of_a_pair(hyperparameters)
        reason = f"{seconds:.1f} s each, {products * pairs / 1e6:.0f} million products"
        frame_bytes = 4 * hyperparameters["bands"]
        return NetworkSize(products * pairs, weights, 2 * pairs * frame_bytes, reason)

    def size_of_a_pair(self, hyperparameters: Mapping[str, Any]) -> tuple[float, float]:
        """Return the multiplications for each pair of frames, and the learned numbers."""
        raise NotImplementedError


class CtcRecipe(SpeechNetworkRecipe):
    """The same networks with a symbol for each frame, for transcription."""

    tasks = frozenset({"transcription"})
    is_sequence = True
    least_steps = 2_600
    most_epochs = 30
    largest_batch = 16
    smallest_batch = 8
    rows_per_batch_row = 80

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Make the spectrograms, with the numbers of the texts' symbols as targets."""
        return super().examples(work, encoder, rows, _numbered(targets), is_training)

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the CTC loss."""
        assert isinstance(validation, SpectrogramExamples)
        said = work.task.encode_targets(work.validation, work.task.labels_of(work.train))
        return CtcObjective(work.task, said, validation)

    def sizes(self, rows: int, hyperparameters: Mapping[str, Any]) -> dict[str, int]:
        """Return batch size, epochs and patience; a network that says nothing for long may yet begin to speak."""
        sizes = super().sizes(rows, hyperparameters)
        return {**sizes, "patience": int(hyperparameters["patience"]) or sizes["epochs"]}


class CtcObjective:
    """The mean over the recordings of -log of the chance of all paths that say the text, a symbol.

    Source: Graves et al. (2006), Connectionist temporal classification, section 4.

    Args:
        task: Measures the validation outputs.
        said: What is right for the validation part, objects, (rows,).
        validation: Its spectrograms.
    """

    def __init__(self, task: LearnableTask, said: np.ndarray, validation: SpectrogramExamples) -> None:
        self.task = task
        self.primary_metric = task.primary_metric
        self.said = said
        self.validation = validation

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar."""
        outputs = network(**inputs).float()
        chances = functional.log_softmax(outputs[:, :, 1:], dim=2).transpose(0, 1)  # (frames, rows, symbols)
        frames, symbols = (outputs[:, :, 0] > 0).sum(dim=1), (targets > 0).sum(dim=1)
        # A recording too short for its text teaches nothing: its loss is infinite and left out.
        losses = functional.ctc_loss(chances, targets, frames, symbols, reduction="none", zero_infinity=True)
        return (losses / symbols.clamp(min=1)).mean()

    def validate(self, network: Network) -> dict[str, float]:
        """Return the metrics of the validation part."""
        return self.task.measure(self.said, self.outputs(network), Calibration())

    def outputs(self, network: Network) -> np.ndarray:
        """Return the outputs of the validation part, objects, (rows,)."""
        return ragged_outputs(network, self.validation, VALIDATION_BATCH)


def _numbered(targets: np.ndarray) -> np.ndarray:
    """Return the places of the texts' symbols from 1, 0 behind the last; a symbol that is none is left out."""
    places = {symbol: place for place, symbol in enumerate(targets[0].symbols, 1)}
    texts = [[places[character] for character in target.text if character in places] for target in targets]
    numbered = np.zeros((len(texts), max(1, *map(len, texts))), np.int64)
    for row, text in enumerate(texts):
        numbered[row, : len(text)] = text
    return numbered
