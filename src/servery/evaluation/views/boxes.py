"""What a detector found in test pictures, drawn on them, and how well it finds each label."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from servery.data.columns import Kind
from servery.evaluation import figures
from servery.evaluation.evaluation import Curve
from servery.evaluation.figure import Figure, Key
from servery.evaluation.labels import curve_of
from servery.evaluation.view import Case, View
from servery.metrics.detection import Found, matches, overlap
from servery.models.encoders.pictures import open_picture
from servery.tasks.boxes import boxes_of
from servery.tasks.detection import Detection, found_of, thresholds_of
from servery.tasks.task import LearnableTask

MOST_PICTURES = 6
MOST_CURVES = 6
PICTURE_PIXELS = 360
"""Longest side of a picture in the report."""
JPEG_QUALITY = 75
STATES = {
    "right": Key("found"),
    "wrong": Key("nothing there, another label, or badly placed", "bad", (5, 2)),
    "missed": Key("missed", "ink", (2, 2)),
}
"""What came of a box or a thing, to how it is drawn."""


class DrawnBox(msgspec.Struct, frozen=True):
    """A box on a picture of the report, in its pixels; `state` is one of `STATES`, a missed thing scores 0."""

    label: str
    score: float
    state: str
    edges: tuple[float, float, float, float]


class DrawnPicture(msgspec.Struct, frozen=True):
    """A test picture, shrunk, as the base64 of a JPEG, with its boxes."""

    line: int
    jpeg: str
    width: int
    height: int
    f1: float
    boxes: tuple[DrawnBox, ...]


class LabelFigures(msgspec.Struct, frozen=True):
    """How well one label is found; precision, recall and F1 are those of the boxes that are answered."""

    label: str
    things: int
    average_precision_50: float
    average_precision: float
    threshold: float
    precision: float
    recall: float
    f1: float
    curve: Curve


class Seen(msgspec.Struct, frozen=True):
    """What the view found."""

    labels: tuple[LabelFigures, ...]
    pictures: tuple[DrawnPicture, ...]
    rows: int


class BoxesView(View):
    """Precision and recall of each label, and pictures from the best to the worst with their boxes."""

    name = "boxes"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task is object detection."""
        return isinstance(task, Detection)

    def look(self, case: Case) -> Seen:
        """Measure each label, and draw some pictures, evenly spread from the best found to the worst."""
        labels, calibration = case.predictor.signature.labels, case.predictor.calibration
        least = thresholds_of(calibration, len(labels))
        found = found_of(case.targets, case.outputs)
        quality = case.task.quality(case.targets, case.outputs, calibration)
        order = np.argsort(-quality, kind="stable")
        chosen = order[np.linspace(0, len(order) - 1, min(MOST_PICTURES, len(order))).round().astype(int)]
        return Seen(
            tuple(
                _figures(*of) for of in zip(labels, found, least.tolist(), strict=True) if of[1].wanted.any()
            ),
            tuple(_drawn(case, row, least, float(quality[row])) for row in chosen.tolist()),
            len(order),
        )

    def figures(self, found: Any) -> list[Figure]:
        """Return the labels' curves and the pictures."""
        seen = msgspec.convert(found, Seen)
        return [_label_figure(seen.labels), _picture_figure(seen)]


def _figures(label: str, found: Found, threshold: float) -> LabelFigures:
    weights = np.ones(len(found.wanted))
    precisions = found.average_precision(weights)
    precision, recall = (line[0] for line in found.precision_recall(weights))
    said = int((found.scores >= threshold).sum())
    right, things = int(found.hits[0, :said].sum()), int(found.wanted.sum())
    return LabelFigures(
        label,
        things,
        float(precisions[0]),
        float(precisions.mean()),
        threshold,
        right / max(said, 1),
        right / max(things, 1),
        2 * right / max(said + things, 1),
        curve_of(label, recall, precision, float(precisions[0])),
    )


def _drawn(case: Case, row: int, least: np.ndarray, f1: float) -> DrawnPicture:
    column = next(c.name for c in case.test.inputs if c.kind is Kind.IMAGE)
    picture = open_picture(case.test[column][row], column).convert("RGB")
    picture.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS), Image.Resampling.BILINEAR)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=JPEG_QUALITY, optimize=True)
    boxes = _judged(case.targets[row], case.outputs[row], case.predictor.signature.labels, least)
    sides = np.array([*picture.size, *picture.size])
    return DrawnPicture(
        int(case.test.line_numbers[row]),
        base64.b64encode(written.getvalue()).decode("ascii"),
        *picture.size,
        f1,
        tuple(
            DrawnBox(label, score, state, tuple((edges * sides).round(1).tolist()))
            for label, score, state, edges in boxes
        ),
    )


def _judged(
    things: np.ndarray, output: np.ndarray, labels: Sequence[str], least: np.ndarray
) -> list[tuple[str, float, str, np.ndarray]]:
    """Return the boxes answered and the things missed of one picture: label, score, state, edges as shares."""
    boxes = boxes_of(output, least)
    told = []
    for place, label in enumerate(labels):
        own = boxes.labels == place
        edges, scores, wanted = boxes.edges[own], boxes.scores[own], things[things[:, 0] == place, 1:]
        taken = matches(overlap(edges, wanted))[0]
        states = np.where(taken >= 0, "right", "wrong").tolist()
        told += [(label, *box) for box in zip(scores.tolist(), states, edges, strict=True)]
        told += [(label, 0.0, "missed", wanted[i]) for i in np.setdiff1d(np.arange(len(wanted)), taken)]
    return told


def _label_figure(labels: Sequence[LabelFigures]) -> Figure:
    order = sorted(labels, key=lambda of: -of.things)
    hardest = min(order, key=lambda of: of.average_precision_50)
    shown = order[:MOST_CURVES]
    more = (
        f" Drawn are the {MOST_CURVES} most frequent of {len(order)} labels."
        if len(order) > len(shown)
        else ""
    )
    return Figure(
        "Precision and recall of each label",
        f"Hardest to find is {hardest.label}, with an average precision of {hardest.average_precision_50:.3f}; "
        f"a box is right if it overlaps the thing by half.{more}",
        figures.curves([of.curve for of in shown], "recall", "precision", "boxes", ([0, 1], [0, 0])),
        ("Label", "Things", "AP@0.50", "AP@0.50:0.95", "Answered from", "Precision", "Recall", "F1"),
        tuple((of.label, f"{of.things:,}", *(f"{value:.3f}" for value in _values(of))) for of in order),
        tuple(
            Key(of.label, "ink" if place else "accent", figures.DASHES[place])
            for place, of in enumerate(shown)
        ),
    )


def _values(of: LabelFigures) -> tuple[float, ...]:
    return of.average_precision_50, of.average_precision, of.threshold, of.precision, of.recall, of.f1


def _picture_figure(seen: Seen) -> Figure:
    worst = seen.pictures[-1]
    counts = [[sum(box.state == state for box in p.boxes) for state in STATES] for p in seen.pictures]
    return Figure(
        "What it found",
        f"{len(seen.pictures)} of {seen.rows:,} test pictures, evenly spread from the best found to the worst, line "
        f"{worst.line} with an F1 of {worst.f1:.2f}. The boxes are those a caller gets.",
        "".join(_svg(picture) for picture in seen.pictures),
        ("Line", "Found", "Wrong", "Missed", "F1"),
        tuple(
            (f"{picture.line}", *(f"{n}" for n in numbers), f"{picture.f1:.3f}")
            for picture, numbers in zip(seen.pictures, counts, strict=True)
        ),
        tuple(STATES.values()),
    )


def _svg(picture: DrawnPicture) -> str:
    """Return a picture with its boxes; each line has a light edge, so that it shows on dark and bright."""
    parts = [
        f'<svg viewBox="0 0 {picture.width} {picture.height}" aria-hidden="true" '
        f'style="max-width: {PICTURE_PIXELS}px">',
        f'<image href="data:image/jpeg;base64,{picture.jpeg}" width="{picture.width}" height="{picture.height}"/>',
    ]
    for box in sorted(picture.boxes, key=lambda box: list(STATES).index(box.state)):
        key, (xmin, ymin, xmax, ymax) = STATES[box.state], box.edges
        place = f'x="{xmin:g}" y="{ymin:g}" width="{xmax - xmin:g}" height="{ymax - ymin:g}" fill="none"'
        dashes = " ".join(f"{length:g}" for length in key.dashes) or "none"
        sure = f" {box.score:.2f}" if box.state != "missed" else ", missed"
        parts.append(
            f'<g><title>{escape(box.label)}{sure}</title><rect {place} stroke="#fff" stroke-opacity="0.7" '
            f'stroke-width="3.5"/><rect {place} style="stroke: var(--{key.colour})" stroke-width="1.8" '
            f'stroke-dasharray="{dashes}"/></g>'
        )
    return "".join(parts) + "</svg>"


BOXES = BoxesView()
