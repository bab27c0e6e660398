"""What a detector finds in the pictures of a COCO folder, as the list of results that COCO's tools read."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from servery.data.coco_folders import read_annotations, read_coco
from servery.errors import InputError, ModelTaskError
from servery.pipeline.local import load
from servery.pipeline.workspace import Workspace
from servery.storage.files import write_atomically
from servery.tasks.detection import DetectionAnswer, DetectionParameters

BATCH_PICTURES = 64
EVERY_BOX = DetectionParameters(threshold=0.0)
"""COCO's evaluator weighs the boxes by their scores; leaving the unsure ones out would only lower the recall."""


def coco_results(reference: str, folder: Path, workspace: Workspace | None = None) -> list[dict[str, Any]]:
    """Return a model's boxes in every picture of a COCO folder: image_id, category_id, bbox, score.

    Args:
        reference: "name", "name@3" or "name@alias".
        folder: With annotations.json, as COCO writes it; its boxes are not looked at.
        workspace: Where the model is registered; None opens the default data home.

    Raises:
        ModelNotFoundError: There is no model of that name.
        ModelTaskError: The model is no detector.
        InputError: The folder has a category for none of the model's labels.
        DataError: The folder cannot be read.
    """
    predictor = load(reference, workspace).predictor
    if predictor.task.answer is not DetectionAnswer:
        raise ModelTaskError(f"{reference} answers {predictor.task.name!r}; COCO results are of detection.")
    categories = {str(entry["name"]): entry["id"] for entry in read_annotations(folder)["categories"]}
    labels = predictor.signature.labels
    if not set(labels) & categories.keys():
        raise InputError(
            f"{folder} has the categories {', '.join(categories)}; none is one of {', '.join(labels)}."
        )
    table = read_coco(folder)
    column = predictor.signature.inputs[0].name
    pairs = zip(table.values["image_id"], table.values["image"], strict=True)
    results = []
    while some := list(islice(pairs, BATCH_PICTURES)):
        answers = predictor.predict([{column: picture} for _, picture in some], EVERY_BOX)
        for (image_id, _), answer in zip(some, answers, strict=True):
            assert isinstance(answer, DetectionAnswer)
            results += [
                {"image_id": image_id, "category_id": categories[found.label], **_shape(found)}
                for found in answer.objects
                if found.label in categories
            ]
    return results


def write_coco_results(reference: str, folder: Path, output: Path, workspace: Workspace | None = None) -> int:
    """Write `coco_results` into a JSON file; return how many boxes it holds."""
    results = coco_results(reference, folder, workspace)
    write_atomically(output, msgspec.json.encode(results))
    return len(results)


def _shape(found: Any) -> dict[str, Any]:
    box = found.box
    edges = np.array([box.xmin, box.ymin, box.xmax - box.xmin, box.ymax - box.ymin]).round(2)
    return {"bbox": edges.tolist(), "score": round(found.score, 5)}
