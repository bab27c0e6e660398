"""Where a classifier looks in pictures, and whether that is so: what is deleted first must matter most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from servery.data.columns import Kind
from servery.data.pixels import painted, pixels_of
from servery.evaluation import figures
from servery.evaluation.figure import Figure, Key
from servery.evaluation.picture_sheet import Sheet, drawn_sheet, sheet_of
from servery.evaluation.view import Case, View
from servery.metrics.deletion import area_under_deletion, deletion_steps
from servery.metrics.resampling import bootstrap
from servery.tasks.classification import Classification
from servery.tasks.form import form_for
from servery.tasks.label_task import decided
from servery.tasks.part import Part
from servery.tasks.task import LearnableTask

LEAST_PICTURES, MOST_PICTURES = 6, 24
ROWS_A_PICTURE = 25
"""One test picture in so many is looked at so closely, for it takes a hundred looks."""
STEPS = 10
RANDOM_ORDERS = 3
SHOWN = 8
SIDE = 56
"""Pixels of a shown picture's longer side."""
WARM = np.array([214.0, 69.0, 32.0])
"""Colour of the patches that speak for the label."""


class Saliency(msgspec.Struct, frozen=True):
    """What the view found.

    Attributes:
        pictures: How many were looked at.
        shares: Of each picture's patches that are deleted, after each step.
        by_effect: Mean score of the answered label then, the patches that matter most first.
        at_random: The same in random orders.
        area: Under the first curve.
        random_area: Under the second.
        low: Lower end of the 95 % interval of `random_area - area`, over the pictures.
        high: Upper end.
        better: Share of the pictures whose own first area is the smaller one.
        sheet: Some of the pictures, above them with what speaks for the label in colour.
        answers: Their labels with the scores.
        lines: Where they stand in their file.
    """

    pictures: int
    shares: list[float]
    by_effect: list[float]
    at_random: list[float]
    area: float
    random_area: float
    low: float
    high: float
    better: float
    sheet: Sheet
    answers: list[str]
    lines: list[int]


class SaliencyView(View):
    """Saliency by occlusion, and its deletion test."""

    name = "saliency"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether rows have one label."""
        return isinstance(task, Classification)

    def look(self, case: Case) -> Saliency | None:
        """Delete patches of some test pictures; nothing where the model reads something else."""
        columns = case.predictor.signature.inputs
        if [column.kind for column in columns] != [Kind.IMAGE]:
            return None
        count = min(max(len(case.test) // ROWS_A_PICTURE, LEAST_PICTURES), MOST_PICTURES, len(case.test))
        rows = np.sort(np.random.default_rng(0).permutation(len(case.test))[:count]).tolist()
        seen = [_Looked.at(case, row, columns[0].name) for row in rows]
        curves = np.array([looked.by_effect for looked in seen])  # (pictures, steps + 1)
        chance = np.array([looked.at_random for looked in seen])
        gains = area_under_deletion(chance) - area_under_deletion(curves)
        interval = bootstrap(lambda places: {"gain": float(gains[places].mean())}, count)["gain"]
        shown = seen[:SHOWN]
        return Saliency(
            count,
            [step / STEPS for step in range(STEPS + 1)],
            curves.mean(axis=0).round(5).tolist(),
            chance.mean(axis=0).round(5).tolist(),
            float(area_under_deletion(curves).mean()),
            float(area_under_deletion(chance).mean()),
            *(interval.low, interval.high, float((gains > 0).mean())),
            _sheet(shown),
            [looked.answer for looked in shown],
            case.test.line_numbers[rows[:SHOWN]].tolist(),
        )

    def figures(self, found: Any) -> list[Figure]:
        """Return the maps and the deletion curves."""
        if found is None:
            return []
        read = msgspec.convert(found, Saliency)
        return [_maps(read), _deletion(read)]


class _Looked(msgspec.Struct, frozen=True):
    """One picture: its content, its patches and what they matter, and its two deletion curves."""

    content: bytes
    parts: list[Part]
    effects: np.ndarray
    by_effect: np.ndarray
    at_random: np.ndarray
    answer: str

    @classmethod
    def at(cls, case: Case, row: int, column: str) -> _Looked:
        content, columns = case.test[column][row], case.predictor.signature.inputs
        form = form_for(case.predictor.signature.kinds)
        parts = form.parts({column: content}, columns)
        label, scores = _scores(case, column, [content, *(painted(content, [_box(p)]) for p in parts)])
        effects = scores[0] - scores[1:]
        # Equal effects come in a random order, as they do in the curves by chance.
        chance = np.random.default_rng(row)
        shuffled = chance.permutation(len(parts))
        order = shuffled[np.argsort(-effects[shuffled], kind="stable")]
        orders = [order, *(chance.permutation(len(parts)) for _ in range(RANDOM_ORDERS))]
        steps = [gone for o in orders for gone in deletion_steps(o.tolist(), STEPS)]
        pictures = [painted(content, [_box(parts[place]) for place in gone]) for gone in steps]
        curves = _scores(case, column, pictures, label)[1].reshape(len(orders), STEPS + 1)
        name = case.predictor.signature.labels[label]
        return cls(content, parts, effects, curves[0], curves[1:].mean(axis=0), f"{name} {scores[0]:.2f}")


def _scores(
    case: Case, column: str, pictures: Sequence[bytes], label: int | None = None
) -> tuple[int, np.ndarray]:
    """Return the place of a label, that of the first picture's answer if none is given, and its scores, (pictures,)."""
    assert isinstance(case.task, Classification)
    calibration = case.predictor.calibration
    outputs = case.predictor.outputs([{column: picture} for picture in pictures])
    scores = case.task.scores(outputs, calibration)
    place = int(decided(scores[:1], calibration)[0]) if label is None else label
    return place, scores[:, place]


def _box(part: Part) -> tuple[int, int, int, int]:
    assert part.box is not None
    return part.box


def _sheet(shown: Sequence[_Looked]) -> Sheet:
    """Return the pictures with their patches coloured by effect, above them as they are."""
    shapes = [_size(looked) for looked in shown]
    height, width = (max(shape[side] for shape in shapes) for side in (0, 1))
    rows: list[list[np.ndarray]] = [[], []]
    for looked, (down, across) in zip(shown, shapes, strict=True):
        pixels = pixels_of(looked.content, (3, down, across))
        for row, picture in zip(rows, (_coloured(pixels, looked), pixels), strict=True):
            padded = np.zeros((3, height, width), np.uint8)
            padded[:, :down, :across] = picture
            row.append(padded)
    return sheet_of([np.stack(row) for row in rows], ("what speaks for it", "the picture"))


def _size(looked: _Looked) -> tuple[int, int]:
    right, bottom = _edges(looked)
    scale = SIDE / max(right, bottom)
    return max(round(bottom * scale), 1), max(round(right * scale), 1)


def _edges(looked: _Looked) -> tuple[int, int]:
    boxes = np.array([_box(part) for part in looked.parts])
    return int((boxes[:, 0] + boxes[:, 2]).max()), int((boxes[:, 1] + boxes[:, 3]).max())


def _coloured(pixels: np.ndarray, looked: _Looked) -> np.ndarray:
    _, height, width = pixels.shape
    right, bottom = _edges(looked)
    weight = np.zeros((height, width))
    for part, effect in zip(looked.parts, looked.effects, strict=True):
        left, top, across, down = _box(part)
        ends = slice(top * height // bottom, (top + down) * height // bottom)
        weight[ends, left * width // right : (left + across) * width // right] = max(float(effect), 0.0)
    weight *= 0.75 / max(float(weight.max()), 1e-9)
    return np.asarray((1 - weight) * pixels + weight * WARM[:, None, None], dtype=np.uint8)


def _maps(found: Saliency) -> Figure:
    return Figure(
        "Where it looks",
        f"{len(found.answers)} test pictures, chosen by chance; the stronger a patch is coloured, the more the score "
        "of the answered label falls without it. Whether these maps can be believed is tested below.",
        drawn_sheet(found.sheet),
        ("Picture", "Line", "Answer"),
        tuple(
            (str(place), f"{line}", answer)
            for place, (line, answer) in enumerate(zip(found.lines, found.answers, strict=True), 1)
        ),
    )


def _deletion(found: Saliency) -> Figure:
    gain = found.random_area - found.area
    meaning = (
        "the patches that the maps name matter more than others"
        if found.low > 0
        else "so the maps cannot be told from chance"
    )
    sentence = (
        f"Of {found.pictures} test pictures patches are deleted, those first that the map says matter most: the area "
        f"under the score is then {found.area:.3f}, in random orders {found.random_area:.3f}, {gain:+.3f} "
        f"[{found.low:+.3f} to {found.high:+.3f}] apart; {meaning}. It is the smaller one for {found.better:.0%} of "
        "the pictures."
    )

    def paint(axes: Any) -> None:
        axes.plot(found.shares, found.at_random, color=figures.INK, dashes=figures.DASHES[1])
        axes.plot(found.shares, found.by_effect, color=figures.ACCENT)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.03)
        axes.set_xlabel("share of the picture deleted")
        axes.set_ylabel("score of the answered label")

    rows = zip(found.shares, found.by_effect, found.at_random, strict=True)
    return Figure(
        "Are the maps right?",
        sentence,
        figures.draw(paint, 3.9, 3.0, "deletion"),
        ("Deleted", "By the map", "In random order"),
        tuple((f"{share:.0%}", f"{own:.3f}", f"{chance:.3f}") for share, own, chance in rows),
        (Key("what the map names first"), Key("random order", "ink", figures.DASHES[1])),
    )


SALIENCY = SaliencyView()
