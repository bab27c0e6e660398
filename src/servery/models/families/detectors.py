"""Detectors for pictures: a small one that costs seconds, and one with a feature pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.letterbox import Letterbox
from servery.models.families._assembly import columns_for
from servery.models.families._detection_examples import DetectionExamples, Shaking
from servery.models.families._detection_objective import DetectionObjective
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.recipe import Objective, Work
from servery.nn.networks.centre_detector import STRIDE

SAMPLED_PICTURES = 256


class DetectorRecipe(NetworkRecipe):
    """A map of the things' centres with a box at every place."""

    form = "image"
    tasks = frozenset({"detection"})
    network = "centre_detector"
    largest_batch = 8
    smallest_batch = 8
    least_epochs = 8
    most_epochs = 60
    least_steps = 1000
    multiplications_per_second = 50e9

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the first picture column."""
        return columns_for(dataset, frozenset({Kind.IMAGE}))[:1]

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Letterbox:
        """Find size and colours of the training pictures."""
        encoder = _sheet(examples, columns[0].name, work.hyperparameters)
        colours = "grey" if encoder.channels == 1 else "colour"
        work.progress.say("Encode", f"{encoder.width} x {encoder.height} pixels, {colours}")
        return encoder

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> DetectionExamples:
        """Decode the pictures; training pictures are changed at random, batch by batch."""
        given = work.hyperparameters
        shaking = Shaking(given["zoom"], given["jitter"], given["flip"]) if is_training else None
        repeats = self.rows_of_epoch(len(rows), given) // len(rows) if is_training else 1
        labels = len(work.task.labels_of(work.train))
        return DetectionExamples(encoder.encode(rows), targets, labels, shaking, repeats)

    def rows_of_epoch(self, rows: int, hyperparameters: Mapping[str, Any]) -> int:
        """Return how many rows an epoch has: of few pictures it takes each several times.

        Validating after it then costs little beside it.
        """
        return rows * max(int(hyperparameters["epoch_rows"]) // rows, 1)

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the loss of centres and boxes."""
        assert isinstance(validation, DetectionExamples)
        return DetectionObjective(work.task, validation)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the sizes found in the data and the stages."""
        assert isinstance(encoder, Letterbox)
        step = max(len(examples) // SAMPLED_PICTURES, 1)
        pixels = examples.arrays["pixels"][::step].numpy().astype(np.float64)
        return {
            "channels": encoder.channels,
            "means": pixels.mean(axis=(0, 2, 3)).round(3).tolist(),
            "deviations": pixels.std(axis=(0, 2, 3)).clip(1.0).round(3).tolist(),
            "widths": list(work.hyperparameters["widths"]),
            "depth": work.hyperparameters["depth"],
            "neck": work.hyperparameters["neck"],
            "labels": labels,
        }

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the stages' blocks, and the three layers over a quarter of the picture."""
        few = dataset.take(np.arange(0, len(dataset), max(len(dataset) // 16, 1)))
        sheet = _sheet(list(few.examples()), self.columns(dataset)[0].name, hyperparameters)
        places = sheet.width * sheet.height / STRIDE**2
        depth, neck = hyperparameters["depth"], hyperparameters["neck"]
        stages = [(18 * width**2 * depth, places / 4**n) for n, width in enumerate(hyperparameters["widths"])]
        stages.append((27 * neck**2, places))
        multiplications = sum(weights * there for weights, there in stages)
        reason = f"{sheet.width} x {sheet.height} pixels, {multiplications / 1e6:.0f} million products each"
        example_bytes = sheet.channels * sheet.width * sheet.height
        return NetworkSize(multiplications, sum(weights for weights, _ in stages), example_bytes, reason)


def _sheet(
    examples: Sequence[Mapping[str, Any]], column: str, hyperparameters: Mapping[str, Any]
) -> Letterbox:
    return Letterbox.fit(examples, column, longest_side=hyperparameters["longest_side"], step=STRIDE)


DETECTOR_TRAINING: Mapping[str, Any] = {
    **{name: value for name, value in TRAINING.items() if name not in ("label_smoothing", "class_weights")},
    "learning_rate": 2e-3,
    "weight_decay": 0.05,
    "gradient_clip": 10.0,
    "precision": "native",
    "epoch_rows": 800,
    "zoom": 1.4,
    "jitter": 0.2,
    "flip": "horizontal",
}


class SmallDetector(DetectorRecipe):
    """Small pictures, two stages."""

    name = "cnn"
    title = "Small convolutional detector"
    summary = (
        "Finds centres and boxes in pictures of 160 pixels with a few convolutions: the cheap baseline "
        "(Zhou et al. 2019, section 3)."
    )
    least_steps = 800
    defaults = {**DETECTOR_TRAINING, "longest_side": 160, "widths": [16, 32], "depth": 1, "neck": 16}
    search_space = {"learning_rate": (1e-3, 2e-3), "zoom": (1.2, 1.4, 2.0)}


class CentreNet(DetectorRecipe):
    """Residual stages and a feature pyramid."""

    name = "centernet"
    title = "Centre-point detector with a feature pyramid"
    summary = (
        "A residual network with a feature pyramid that marks the centre of each thing and tells the box from the "
        "places around it (Zhou et al. 2019, section 3; Liu et al. 2020, section 4; Lin et al. 2017, section 3)."
    )
    defaults = {**DETECTOR_TRAINING, "longest_side": 320, "widths": [32, 64, 128], "depth": 2, "neck": 48}
    search_space = {
        "learning_rate": (1e-3, 2e-3),
        "longest_side": (320, 480, 640),
        "zoom": (1.2, 1.4, 2.0),
        "flip": ("none", "horizontal", "all"),
    }


SMALL_DETECTOR = SmallDetector()
CENTRE_NET = CentreNet()
