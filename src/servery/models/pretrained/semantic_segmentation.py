"""Which label each pixel of a picture belongs to, by networks with a head of their own."""

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
from servery.tasks.segmentation import LONGEST_SIDE, map_size
from servery.tasks.task import Calibration


class SemanticSegmentation(PretrainedKind):
    """`...ForSemanticSegmentation`; pictures are resized to its size whole, and its logits to the picture's."""

    name = "semantic_segmentation"
    tasks = ("segmentation",)
    auto_class = "AutoModelForSemanticSegmentation"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it labels pixels."""
        return folder.architecture.endswith("ForSemanticSegmentation") and len(folder.labels) > 1

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
            target="mask",
            example=grey_png(min(width, 64), min(height, 64)),
        )
        runtime = HuggingFace(folder.path, self.name, settings)
        encoder = MeasuredPictures("image", width, height, 3)
        return Predictor(signature, encoder, runtime, Calibration(), "pretrained")

    def inputs(self, batch: Batch, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return scaled pixels."""
        return {"pixel_values": scaled(batch["pixels"], settings)}

    def computed(
        self, model: Any, inputs: Mapping[str, Any], batch: Batch, settings: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the likeliest label of each pixel and its chance, in the size of each picture, up to a bound."""
        from torch.nn.functional import interpolate

        maps = np.empty(len(batch["sizes"]), object)
        for row, logits in enumerate(model(**inputs).logits):
            width, height = (int(side) for side in batch["sizes"][row])
            across, down = map_size(width, height, LONGEST_SIDE)
            grown = interpolate(logits[None].float(), (down, across), mode="bilinear", align_corners=False)
            chances, labels = grown[0].softmax(dim=0).max(dim=0)
            size = np.zeros((down, across), np.float32)
            size[0, :2] = width, height
            maps[row] = np.stack([labels.numpy().astype(np.float32), chances.numpy(), size])
        return {"maps": maps}

    def outputs(
        self, found: Mapping[str, np.ndarray], batch: Batch, settings: Mapping[str, Any], folder: Path
    ) -> np.ndarray:
        """Return the maps, as `tasks.segmentation` has them."""
        return found["maps"]


SEMANTIC_SEGMENTATION = SemanticSegmentation()
