"""Object detection: which things does a picture show, and where? A box around each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.boxes import picture_sizes, things_of
from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics.detection import Found, coco_metrics
from servery.tasks.boxes import DEFAULT_SCORE, Boxes, best_scores, boxes_of, right_boxes
from servery.tasks.task import Answer, Calibration, LearnableTask, Parameters

NEVER = -30.0
"""Logit of a label that is not meant."""


class Box(msgspec.Struct, frozen=True):
    """Edges in pixels of the picture as it stands upright, from its upper left corner."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class DetectedObject(msgspec.Struct, frozen=True):
    """What it is, how sure that is, from 0 to 1, and where."""

    label: str
    score: float
    box: Box


class DetectionParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        threshold: Score from which an object is answered; null takes the one that suited the label best on
            validation pictures.
        top_k: Keeps that many objects, the surest ones.
    """

    threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None


class DetectionAnswer(Answer, frozen=True):
    """The objects found, the surest first, and the size of the picture in pixels."""

    objects: tuple[DetectedObject, ...]
    width: int
    height: int


class Detection(LearnableTask):
    """Boxes with labels a picture.

    `outputs` are float32, (rows, 1 + places, 4 + labels). A row's first line is its picture's width and height in
    pixels, then zeros; every other one a place where something may be: xmin, ymin, xmax, ymax as shares of width
    and height, then a logit for each label. Boxes may overlap; which of them stay is decided here.
    `targets` are objects, (rows,), each float64, (things, 5): the label's number, then the edges as such shares.
    """

    name = "detection"
    title = {"en": "Object detection", "zh": "目标检测"}
    summary = "Which things does a picture show, and where?"
    primary_metric = "map_50"
    quality_title = "F1 of the boxes of a picture"
    parameters = DetectionParameters
    answer = DetectionAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target is boxes."""
        return target.kind is Kind.BOXES

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the labels of all boxes, sorted.

        Raises:
            DataError: There is no box at all, or one that cannot be read.
        """
        labels = sorted({thing.label for things in _things(dataset) for thing in things})
        if not labels:
            raise DataError(f"The target '{dataset.target.name}' has no box in any row.", param="target")
        return tuple(labels)

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return each picture's things; what lies beyond its edges is cut away.

        Raises:
            DataError: A box cannot be read or has a label that is none of `labels`; there are no pictures.
        """
        places = {label: place for place, label in enumerate(labels)}
        try:
            sizes = picture_sizes(dataset)
        except ValueError as error:
            raise DataError(f"{dataset.source.name}: {error}.", param="data") from error
        encoded = np.empty(len(dataset), object)
        for row, (things, (width, height)) in enumerate(zip(_things(dataset), sizes, strict=True)):
            unknown = next((thing.label for thing in things if thing.label not in places), None)
            if unknown is not None:
                raise DataError(
                    f"Line {dataset.line_numbers[row]} has a box labelled {unknown!r}; "
                    f"known labels are {', '.join(labels[:20])}.",
                    param="target",
                )
            kept = [(places[thing.label], thing.within(width, height)) for thing in things]
            lines = [(place, *cut) for place, cut in kept if cut is not None]
            encoded[row] = np.array(lines, np.float64).reshape(-1, 5) / (1, width, height, width, height)
        return encoded

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return the objects of each picture that score at least the threshold."""
        asked = parameters if isinstance(parameters, DetectionParameters) else DetectionParameters()
        least = thresholds_of(calibration, len(labels))
        if asked.threshold is not None:
            least = np.full(len(labels), asked.threshold)
        return [_answer(row, labels, least, asked.top_k) for row in outputs]

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return COCO's figures, and the F1 of the boxes that would be answered."""
        return self.judge(targets, outputs, calibration).measure(np.arange(len(targets)))

    def primary(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> float:
        """Return the mean over the labels of the average precision at an overlap of 0.5."""
        return self.judge(targets, outputs, calibration).primary(np.arange(len(targets)))

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> DetectionJudgement:
        """Match boxes with things once, for any choice of pictures."""
        found = found_of(targets, outputs)
        return DetectionJudgement(tuple(found), thresholds_of(calibration, len(found)))

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return the F1 of each picture's boxes, 1 where nothing was to be found or said, float64, (rows,)."""
        found = found_of(targets, outputs)
        least = thresholds_of(calibration, len(found))
        right, said = (np.zeros(len(targets)) for _ in range(2))
        for label, threshold in zip(found, least, strict=True):
            is_said = label.scores >= threshold
            np.add.at(said, label.rows[is_said], 1)
            np.add.at(right, label.rows[is_said & label.hits[0]], 1)
        both = said + np.array([len(things) for things in targets])
        return np.where(both > 0, 2 * right / np.maximum(both, 1), 1.0)

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Find for each label the score from which its boxes have the best F1."""
        thresholds = [best_scores(found) for found in found_of(targets, outputs)]
        return Calibration(thresholds=tuple(thresholds), fitted_on=len(targets))

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return, for every picture, the median box of each label."""
        lines = np.zeros((1 + label_count, 4 + label_count), np.float32)
        lines[0, :2] = 1.0
        lines[1:, 4:] = np.where(np.eye(label_count, dtype=bool), 0.0, NEVER)
        things = np.concatenate([*targets, np.zeros((0, 5))])
        for label in range(label_count):
            own = things[things[:, 0] == label, 1:]
            lines[1 + label, :4] = np.median(own, axis=0) if len(own) else (0.0, 0.0, 1.0, 1.0)
        return np.tile(lines, (rows, 1, 1))

    def aligned(
        self, outputs: np.ndarray, calibration: Calibration, known: Sequence[str], labels: Sequence[str]
    ) -> tuple[np.ndarray, Calibration]:
        """Return logits in the order of `labels`; one that the model never met gets next to no score."""
        order = [known.index(label) if label in known else len(known) for label in labels]
        ordered = np.empty(len(outputs), object)
        for row, lines in enumerate(outputs):
            never = np.full((len(lines), 1), NEVER, np.float32)
            ordered[row] = np.concatenate([lines[:, :4], np.hstack([lines[:, 4:], never])[:, order]], axis=1)
        least = [*thresholds_of(calibration, len(known)).tolist(), DEFAULT_SCORE]
        return ordered, Calibration(thresholds=tuple(least[place] for place in order))

    def best_label(self, answer: Any) -> str:
        """Return the label of the surest box; empty where nothing was found."""
        return answer.objects[0].label if answer.objects else ""

    def score_of(self, answer: Any, label: str) -> float:
        """Return the score of a label's surest box; 0 where it has none."""
        return max((found.score for found in answer.objects if found.label == label), default=0.0)

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "object-detection"."""
        return "object-detection"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of label, score and box for one picture, a list of them for several; whole pixels."""
        rows = [_hub_shape(answer) for answer in answers if isinstance(answer, DetectionAnswer)]
        return rows if is_batch else rows[0]


@dataclass(frozen=True)
class DetectionJudgement:
    """Boxes matched with things, to be weighed by any choice of pictures.

    Attributes:
        found: Of each label.
        thresholds: Score from which a label's boxes are answered, float64, (labels,).
    """

    found: tuple[Found, ...]
    thresholds: np.ndarray

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows."""
        weights = self._weights(rows)
        return {
            **coco_metrics(self.found, weights),
            "micro_f1": right_boxes(self.found, self.thresholds, weights),
        }

    def primary(self, rows: np.ndarray) -> float:
        """Return the mean average precision at an overlap of 0.5 on these rows."""
        return coco_metrics(self.found, self._weights(rows))["map_50"]

    def _weights(self, rows: np.ndarray) -> np.ndarray:
        return np.bincount(rows, minlength=len(self.found[0].wanted))


def found_of(targets: np.ndarray, outputs: np.ndarray) -> list[Found]:
    """Match every picture's boxes with its things, for each label.

    Args:
        targets: From `Detection.encode_targets`.
        outputs: As `Detection` has them.
    """
    boxes = [boxes_of(row) for row in outputs]
    return [
        Found.of(
            [things[things[:, 0] == label, 1:] for things in targets],
            [found.edges[found.labels == label] for found in boxes],
            [found.scores[found.labels == label] for found in boxes],
        )
        for label in range(outputs[0].shape[1] - 4)
    ]


def _things(dataset: Dataset) -> list[Any]:
    things = []
    for line, cell in zip(dataset.line_numbers, dataset[dataset.target.name], strict=True):
        try:
            things.append(things_of(cell))
        except ValueError as error:
            raise DataError(f"Line {line}: {error}.", param="target") from error
    return things


def thresholds_of(calibration: Calibration, labels: int) -> np.ndarray:
    """Return the score from which a box of each label is answered, float64, (labels,)."""
    return np.array(calibration.thresholds) if calibration.thresholds else np.full(labels, DEFAULT_SCORE)


def _answer(row: np.ndarray, labels: Sequence[str], least: np.ndarray, top_k: int | None) -> DetectionAnswer:
    width, height = (int(side) for side in row[0, :2])
    found: Boxes = boxes_of(row, least)
    sides = np.array([width, height, width, height], np.float64)
    edges = (found.edges * sides).round(2).tolist()
    objects = [
        DetectedObject(labels[label], score, Box(*box))
        for label, score, box in zip(found.labels.tolist(), found.scores.tolist(), edges, strict=True)
    ]
    return DetectionAnswer(tuple(objects[:top_k]), width, height)


def _hub_shape(answer: DetectionAnswer) -> list[dict[str, Any]]:
    return [
        {
            "label": found.label,
            "score": found.score,
            "box": {edge: round(getattr(found.box, edge)) for edge in ("xmin", "ymin", "xmax", "ymax")},
        }
        for found in answer.objects
    ]


DETECTION = Detection()
