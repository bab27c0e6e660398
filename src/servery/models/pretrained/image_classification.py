"""What pictures show, by networks with a head of their own."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from servery.data.columns import Column, Kind, Role
from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.encoders.pictures import Pictures
from servery.models.predictor import Predictor
from servery.models.pretrained_kind import PretrainedFolder, PretrainedKind
from servery.models.runtimes.hugging_face import HuggingFace
from servery.models.signature import Signature
from servery.tasks.task import Calibration

SIDE = 224
PREPARATION_FILE = "preprocessor_config.json"


class ImageClassification(PretrainedKind):
    """`...ForImageClassification`; pictures are resized to its size whole, without a crop."""

    name = "image_classification"
    tasks = ("classification",)
    auto_class = "AutoModelForImageClassification"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it names what pictures show."""
        return folder.architecture.endswith("ForImageClassification") and len(folder.labels) > 1

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model; size and scale of pictures are those of `preprocessor_config.json`.

        Raises:
            ArtifactError: It reads pictures of another number of channels than 3.
        """
        width, height, settings = picture_settings(folder)
        signature = Signature(
            task=self.tasks[0],
            field=folder.field or "computer-vision",
            inputs=(Column("image", Kind.IMAGE, Role.INPUT),),
            labels=folder.labels,
            target="label",
            example=grey_png(width, height),
        )
        runtime = HuggingFace(folder.path, self.name, settings)
        return Predictor(signature, Pictures("image", width, height, 3), runtime, Calibration(), "pretrained")

    def inputs(self, batch: Batch, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return scaled pixels."""
        return {"pixel_values": scaled(batch["pixels"], settings)}


def grey_png(width: int, height: int) -> str:
    """Return a grey picture, as base64 of its PNG."""
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (127, 127, 127)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def picture_settings(folder: PretrainedFolder) -> tuple[int, int, dict[str, Any]]:
    """Return width and height that pictures are brought to, and the settings of a kind that reads them.

    Raises:
        ArtifactError: It reads pictures of another number of channels than 3.
    """
    if folder.config.get("num_channels", 3) != 3:
        raise ArtifactError(
            f"{folder.path.name} reads {folder.config['num_channels']} channels; 3 are known."
        )
    told = folder.read_json(PREPARATION_FILE)
    height, width = _size(told, folder.config)
    return width, height, {**preparation_of(told), "labels": len(folder.labels)}


def preparation_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return by what pixels are multiplied, then what is taken off and what divides them, a channel each."""
    is_scaled, is_normalised = told.get("do_rescale", True), told.get("do_normalize", True)
    return {
        "factor": float(told.get("rescale_factor", 1 / 255)) if is_scaled else 1.0,
        "mean": list(told.get("image_mean") or [0.5] * 3) if is_normalised else [0.0] * 3,
        "deviation": list(told.get("image_std") or [0.5] * 3) if is_normalised else [1.0] * 3,
    }


def scaled(pixels: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Return pixels as a model wants them, float32, (rows, channels, height, width).

    Args:
        pixels: uint8, (rows, channels, height, width).
        settings: From `preparation_of`.
    """
    mean, deviation = (np.array(settings[name], np.float32)[:, None, None] for name in ("mean", "deviation"))
    return np.asarray((pixels * np.float32(settings["factor"]) - mean) / deviation, np.float32)


def _size(told: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[int, int]:
    said = told.get("crop_size") or told.get("size") or config.get("image_size") or SIDE
    if isinstance(said, Mapping):
        edge = said.get("shortest_edge", SIDE)
        said = (said.get("height", edge), said.get("width", edge))
    height, width = said if isinstance(said, tuple | list) else (said, said)
    return int(height), int(width)


IMAGE_CLASSIFICATION = ImageClassification()
