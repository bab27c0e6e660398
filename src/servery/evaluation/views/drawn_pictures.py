"""What a generator draws: beside real pictures and what it may have copied, step by step, more or less guided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from servery.data.pixels import pixels_of
from servery.evaluation import figures
from servery.evaluation.figure import Figure
from servery.evaluation.picture_sheet import Sheet, drawn_sheet, sheet_of
from servery.evaluation.referees.pictures import PictureJudge
from servery.evaluation.view import Case, View
from servery.metrics.pictures import COPY_DISTANCE, copies
from servery.models.growing import GrowingRuntime
from servery.tasks.image_generation import ImageGeneration, ImageParameters, png_bytes
from servery.tasks.task import LearnableTask

MOST_CATEGORIES = 12
ACROSS = 8
"""Drawn pictures of a category, and as many real ones."""
MOST_NEAREST = 12
SHOWN_STEPS = (1, 2, 4, 8, 16)
STEPS_PICTURES = 8
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 5.0)
GUIDED_ROWS = 48


class CategoryFigures(msgspec.Struct, frozen=True):
    """How one category is drawn: its test rows, training rows and the share that was recognised."""

    category: str
    rows: int
    train_rows: int
    recognised: float


class GuidanceFigures(msgspec.Struct, frozen=True):
    """What some test rows come to with another guidance."""

    guidance: float
    recognised: float
    frechet_multiple: float
    copies: float


class Drawn(msgspec.Struct, frozen=True):
    """What the view found.

    Attributes:
        samples: Drawn pictures of a category, then real ones.
        categories: Every category of the test part, the most frequent first.
        nearest: Drawn pictures above the training pictures that are nearest to them, the nearest first.
        nearest_distances: How far those are, as a share of contrast.
        copies: Share of drawn pictures that are copies.
        real_copies: Share of real test pictures that would count as copies of training ones.
        real_recognised: Share of real test pictures that the classifier takes for what they are.
        referee: The sha256 of the classifier's weights.
        steps: One picture a column, with more and more steps from row to row.
        guidances: Some rows drawn anew, more and more guided.
    """

    samples: Sheet
    categories: tuple[CategoryFigures, ...]
    nearest: Sheet
    nearest_distances: tuple[float, ...]
    copies: float
    real_copies: float
    real_recognised: float
    referee: str
    steps: Sheet | None = None
    guidances: tuple[GuidanceFigures, ...] = ()


class DrawnPicturesView(View):
    """Samples by category, the copy check, the steps and the guidance."""

    name = "drawn_pictures"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether pictures are drawn."""
        return isinstance(task, ImageGeneration)

    def look(self, case: Case) -> Drawn:
        """Draw some more, and look for what is nearest to it among the training pictures."""
        judge = case.referee
        assert isinstance(judge, PictureJudge)
        drawn, held, asked = judge.seen(case.outputs), judge.held(case.targets), judge.asked(case.targets)
        places, distances = copies(drawn / 255.0, judge.real / 255.0)
        closest = np.argsort(distances, kind="stable")[:MOST_NEAREST]
        takes_steps = isinstance(case.predictor.runtime, GrowingRuntime)
        return Drawn(
            samples=_samples(case, judge, asked),
            categories=_categories(judge, asked, judge.look(drawn)[1]),
            nearest=sheet_of([drawn[closest], judge.real[places[closest]]], ("drawn", "nearest real")),
            nearest_distances=tuple(distances[closest].tolist()),
            copies=float(np.mean(distances <= COPY_DISTANCE)),
            real_copies=float(np.mean(copies(held / 255.0, judge.real / 255.0)[1] <= COPY_DISTANCE)),
            real_recognised=float(np.mean(judge.look(held)[1] == asked)),
            referee=judge.fingerprint,
            steps=_step_by_step(case, judge, asked) if takes_steps else None,
            guidances=_guided(case, judge) if takes_steps else (),
        )

    def figures(self, found: Any) -> list[Figure]:
        """Return the sheets and tables."""
        drawn = msgspec.convert(found, Drawn)
        told = [_samples_figure(drawn), _copies_figure(drawn)]
        if drawn.steps is not None:
            told.append(_steps_figure(drawn.steps))
        if drawn.guidances:
            told.append(_guidance_figure(drawn.guidances))
        return told


def _frequent(judge: PictureJudge, asked: np.ndarray) -> list[int]:
    counts = Counter(thing for thing in asked.tolist() if thing >= 0)
    return [thing for thing, _ in counts.most_common()]


def _samples(case: Case, judge: PictureJudge, asked: np.ndarray) -> Sheet:
    rows, names = [], []
    for thing in _frequent(judge, asked)[:MOST_CATEGORIES]:
        real = judge.real[judge.of_thing == thing][:ACROSS]
        blank = np.zeros((ACROSS - len(real), *judge.shape), np.uint8)
        rows.append(np.concatenate([_drawn(case, judge, [thing] * ACROSS), real, blank]))
        names.append(judge.things[thing])
    return sheet_of(rows, names)


def _drawn(
    case: Case, judge: PictureJudge, things: Sequence[int], parameters: ImageParameters | None = None
) -> np.ndarray:
    """Draw things with seeds that count from 0, as the classifier sees them, uint8, (rows, *shape)."""
    column = case.predictor.signature.inputs[0].name
    examples = [{column: judge.things[thing]} for thing in things]
    asked = parameters or ImageParameters()
    answers = case.predictor.answers(case.task.repeatable(examples), asked)
    return np.stack([pixels_of(png_bytes(answer), judge.shape) for answer in answers])


def _categories(judge: PictureJudge, asked: np.ndarray, told: np.ndarray) -> tuple[CategoryFigures, ...]:
    return tuple(
        CategoryFigures(
            judge.things[thing],
            int((asked == thing).sum()),
            int((judge.of_thing == thing).sum()),
            float((told[asked == thing] == thing).mean()),
        )
        for thing in _frequent(judge, asked)
    )


def _step_by_step(case: Case, judge: PictureJudge, asked: np.ndarray) -> Sheet:
    frequent = _frequent(judge, asked)
    things = [frequent[place % len(frequent)] for place in range(STEPS_PICTURES)]
    rows = [_drawn(case, judge, things, ImageParameters(steps=steps)) for steps in SHOWN_STEPS]
    return sheet_of(rows, [f"{steps} step{'s' * (steps > 1)}" for steps in SHOWN_STEPS])


def _guided(case: Case, judge: PictureJudge) -> tuple[GuidanceFigures, ...]:
    rows = np.random.default_rng(0).permutation(len(case.targets))[:GUIDED_ROWS]
    targets = case.targets[np.sort(rows)]
    targets = targets[judge.asked(targets) >= 0]
    found = []
    for guidance in GUIDANCES:
        drawn = _drawn(case, judge, judge.asked(targets).tolist(), ImageParameters(guidance_scale=guidance))
        measured = judge.judge(targets, drawn / 255.0, case.predictor.calibration).measure(
            np.arange(len(targets))
        )
        multiple = measured.get("frechet_multiple", float("inf"))
        found.append(
            GuidanceFigures(guidance, measured["recognised_share"], multiple, measured["copy_share"])
        )
    return tuple(found)


def _samples_figure(drawn: Drawn) -> Figure:
    middle = drawn.samples.width / 2
    worst = min(drawn.categories, key=lambda c: (c.recognised, -c.rows))
    return Figure(
        "Drawn beside real pictures",
        f"Left of the line drawn ones, right of it real training pictures of the same category. The classifier that "
        f"judges takes {drawn.real_recognised:.0%} of the real test pictures for what they are, so no drawing can be "
        f"expected to do much better; it recognises {worst.category} least, {worst.recognised:.0%} of {worst.rows}.",
        drawn_sheet(drawn.samples, [middle]),
        ("Category", "Test rows", "Training rows", "Recognised"),
        tuple(
            (c.category, f"{c.rows:,}", f"{c.train_rows:,}", f"{c.recognised:.0%}") for c in drawn.categories
        ),
    )


def _copies_figure(drawn: Drawn) -> Figure:
    return Figure(
        "Is it copied?",
        f"{drawn.copies:.1%} of the drawn pictures differ from a training picture by less than {COPY_DISTANCE:.0%} of "
        f"its contrast and count as copies; of the real test pictures {drawn.real_copies:.1%} do. Shown are the "
        f"{len(drawn.nearest_distances)} nearest.",
        drawn_sheet(drawn.nearest),
        ("", "Difference, of the real one's contrast", "Counts as a copy"),
        tuple(
            (str(place), f"{distance:.0%}", "yes" if distance <= COPY_DISTANCE else "no")
            for place, distance in enumerate(drawn.nearest_distances, 1)
        ),
    )


def _steps_figure(steps: Sheet) -> Figure:
    return Figure(
        "From noise to picture",
        f"The same noise and categories, drawn in {steps.names[0]} to {steps.names[-1]}.",
        drawn_sheet(steps),
        ("Row", "Drawn in"),
        tuple((str(place), name) for place, name in enumerate(steps.names, 1)),
    )


def _guidance_figure(guidances: Sequence[GuidanceFigures]) -> Figure:
    best = max(guidances, key=lambda g: g.recognised)
    return Figure(
        "How much guidance",
        f"On {GUIDED_ROWS} rows at most, {best.recognised:.0%} are recognised with a guidance of {best.guidance:g}. "
        "More guidance makes pictures plainer and more alike; distances of so few pictures are rough.",
        figures.learning(
            [g.guidance for g in guidances], "share recognised", [g.recognised for g in guidances], None, 90
        ).replace("epoch", "guidance"),
        ("Guidance", "Recognised", "Fréchet multiple", "Copies"),
        tuple(
            (f"{g.guidance:g}", f"{g.recognised:.0%}", f"{g.frechet_multiple:.2f}", f"{g.copies:.0%}")
            for g in guidances
        ),
    )


DRAWN_PICTURES = DrawnPicturesView()
