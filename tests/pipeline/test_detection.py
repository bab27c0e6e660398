"""A COCO folder in, a detector made, looked at and asked, and COCO results out, judged by pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from servery.data.dataset import Dataset
from servery.errors import InputError
from servery.fields._field import find_field
from servery.pipeline.coco import coco_results, write_coco_results
from servery.pipeline.local import load
from servery.pipeline.plan import Plan
from servery.pipeline.train import Trained, train
from servery.pipeline.workspace import Workspace

TINY = {"longest_side": 64, "widths": [16], "neck": 16, "epoch_rows": 0, "epochs": 8, "learning_rate": 8e-3}
TINY |= {"average_decay": 0.0, "precision": "auto", "flip": "none", "zoom": 1.0}


def write_coco(folder: Path, rows: Dataset) -> None:
    """Write rows as COCO would; its category ids are not the labels' places."""
    (folder / "images").mkdir(parents=True)
    names = ("triangle", "square", "circle")
    images, annotations = [], []
    for number, (picture, boxes) in enumerate(zip(rows["image"], rows["boxes"], strict=True)):
        (folder / "images" / f"{number}.png").write_bytes(picture)
        images.append({"id": 100 + number, "file_name": f"{number}.png", "width": 64, "height": 48})
        for box in boxes:
            sides = (box["xmax"] - box["xmin"], box["ymax"] - box["ymin"])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 100 + number,
                    "category_id": 11 + names.index(box["label"]),
                    "bbox": [box["xmin"], box["ymin"], *sides],
                    "area": sides[0] * sides[1],
                    "iscrowd": 0,
                }
            )
    told = {
        "info": {},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 11 + place, "name": name} for place, name in enumerate(names)],
    }
    (folder / "annotations.json").write_text(json.dumps(told))


@dataclass(frozen=True)
class Workshop:
    workspace: Workspace
    data: Path
    trained: Trained


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("detection")
    rows = find_field("computer-vision").offer_for("detection").sample(280, 0)
    for part, span in (("train", (0, 200)), ("valid", (200, 240)), ("test", (240, 280))):
        write_coco(folder / "shapes" / part, rows.take(np.arange(*span)))
    workspace = Workspace.open(folder / "home")
    plan = Plan(
        "shapes",
        "computer-vision",
        str(folder / "shapes"),
        task="detection",
        recipe="cnn",
        threads=1,
        export=False,
        hyperparameters=TINY,
    )
    return Workshop(workspace, folder / "shapes", train(plan, workspace))


def test_the_model_learned_and_its_parts_are_the_folders(workshop: Workshop) -> None:
    evaluation = workshop.trained.evaluation
    assert (evaluation.train_rows, evaluation.rows) == (200, 40)
    assert evaluation.labels == ("circle", "square", "triangle")
    assert evaluation.primary.name == "map_50"
    assert evaluation.primary.value > 0.5
    assert evaluation.primary.low is not None
    assert evaluation.primary.low < evaluation.primary.value


def test_the_report_shows_the_labels_curves_and_boxes_on_pictures(workshop: Workshop) -> None:
    page = (workshop.trained.version.folder / "report.html").read_text(encoding="utf-8")
    assert "mAP@0.50" in page
    assert "Precision and recall of each label" in page
    assert page.count("data:image/jpeg;base64,") == 6
    seen = workshop.trained.evaluation.views["boxes"]
    told = json.loads((workshop.data / "test" / "annotations.json").read_text())
    assert sum(label["things"] for label in seen["labels"]) == len(told["annotations"])
    drawn = [box for picture in seen["pictures"] for box in picture["boxes"]]
    assert {box["state"] for box in drawn} <= {"right", "wrong", "missed"}
    assert all(0 <= box["edges"][0] <= box["edges"][2] <= 64 for box in drawn)
    assert len(re.findall(r"<rect ", page)) >= 2 * len(drawn)
    assert [picture["f1"] for picture in seen["pictures"]] == sorted(
        (picture["f1"] for picture in seen["pictures"]), reverse=True
    )


def test_coco_results_are_worth_what_the_evaluation_says(workshop: Workshop, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    count = write_coco_results("shapes", workshop.data / "test", output, workshop.workspace)
    results = json.loads(output.read_text())
    assert len(results) == count
    with contextlib.redirect_stdout(io.StringIO()):
        known: Any = COCO(str(workshop.data / "test" / "annotations.json"))
        judge = COCOeval(known, known.loadRes(str(output)), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    metrics = {metric.name: metric.value for metric in workshop.trained.evaluation.metrics}
    ours = [metrics[name] for name in ("map", "map_50", "map_75", "average_recall")]
    # Answers are rounded to hundredths of a pixel.
    assert ours == pytest.approx(judge.stats[[0, 1, 2, 8]].tolist(), abs=5e-3)


def test_a_folder_without_the_model_s_labels_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    told = json.loads((workshop.data / "test" / "annotations.json").read_text())
    told["categories"] = [{"id": number, "name": f"thing {number}"} for number in (11, 12, 13)]
    (tmp_path / "annotations.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="none is one of circle, square, triangle"):
        coco_results("shapes", tmp_path, workshop.workspace)


def test_the_model_finds_the_shapes_of_the_example(workshop: Workshop) -> None:
    found = load("shapes", workshop.workspace)(find_field("computer-vision").offer_for("detection").example)
    answer = found.outputs[0]
    assert (answer["width"], answer["height"]) == (64, 48)
    assert {thing["label"] for thing in answer["objects"]} >= {"circle", "square"}
