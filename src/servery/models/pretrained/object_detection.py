"""Boxes around the things in a picture, by networks of the DETR family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.models.encoder import Batch
from servery.models.encoders.measured_pictures import MeasuredPictures
from servery.models.predictor import Predictor
from servery.models.pretrained.image_classification import grey_png, picture_settings, scaled
from servery.models.pretrained_kind import PretrainedFolder, PretrainedKind
from servery.models.runtimes.hugging_face import HuggingFace
from servery.models.signature import Signature
from servery.tasks.task import Calibration

LEAST_CHANCE = 1e-6
"""Chances are kept from 0 and 1 by this, so that they have logits."""


class ObjectDetection(PretrainedKind):
    """`...ForObjectDetection`: queries, each with a box and a label; pictures are resized to its size whole.

    Source: Carion et al. (2020), End-to-End Object Detection with Transformers, section 3.
    """

    name = "object_detection"
    tasks = ("detection",)
    auto_class = "AutoModelForObjectDetection"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it finds things in pictures."""
        return folder.architecture.endswith("ForObjectDetection") and bool(folder.labels)

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model.

        Raises:
            ArtifactError: It reads pictures of another number of channels than 3.
        """
        width, height, settings = picture_settings(folder)
        signature = Signature(
            task=self.tasks[0],
            field=folder.field or "computer-vision",
            inputs=(Column("image", Kind.IMAGE, Role.INPUT),),
            labels=folder.labels,
            target="boxes",
            example=grey_png(min(width, 64), min(height, 64)),
        )
        runtime = HuggingFace(folder.path, self.name, settings)
        encoder = MeasuredPictures("image", width, height, 3)
        return Predictor(signature, encoder, runtime, Calibration(), "pretrained")

    def inputs(self, batch: Batch, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return scaled pixels."""
        return {"pixel_values": scaled(batch["pixels"], settings)}

    def outputs(
        self, found: Mapping[str, np.ndarray], batch: Batch, settings: Mapping[str, Any], folder: Path
    ) -> np.ndarray:
        """Return boxes and logits as `tasks.detection` has them, (rows, 1 + queries, 4 + labels)."""
        chances = chances_of(found["logits"], int(settings["labels"]))
        rows, queries, labels = chances.shape
        outputs = np.zeros((rows, 1 + queries, 4 + labels), np.float32)
        outputs[:, 0, :2] = batch["sizes"]
        outputs[:, 1:, :4] = edges_of(found["pred_boxes"])
        chances = chances.clip(LEAST_CHANCE, 1 - LEAST_CHANCE)
        outputs[:, 1:, 4:] = np.log(chances / (1 - chances))
        return outputs


def chances_of(logits: np.ndarray, labels: int) -> np.ndarray:
    """Return the chance of each label at each query.

    One output more than there are labels stands for nothing: then a query has its likeliest label alone.

    Args:
        logits: float32, (rows, queries, labels), or one more.
        labels: How many.

    >>> chances_of(np.log(np.array([[[0.6, 0.3, 0.1]]])), 2).round(2).tolist()
    [[[0.6, 0.0]]]
    """
    if logits.shape[-1] == labels:  # each label for itself, as in Deformable DETR and RT-DETR
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances = (shifted / shifted.sum(axis=-1, keepdims=True))[..., :labels]
    return np.where(chances == chances.max(axis=-1, keepdims=True), chances, 0.0)


def edges_of(boxes: np.ndarray) -> np.ndarray:
    """Return xmin, ymin, xmax, ymax of boxes told by their middle and their sides, (..., 4).

    >>> edges_of(np.array([0.5, 0.5, 0.2, 0.4])).round(2).tolist()
    [0.4, 0.3, 0.6, 0.7]
    """
    middle, sides = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([middle - sides / 2, middle + sides / 2], axis=-1)


OBJECT_DETECTION = ObjectDetection()
