"""Why a score is no better, column by column: exact parts of the score, and the worst of them in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.models.predictor import Predictor
from servery.models.scorecard import Scorecard, scorecard_of
from servery.models.training_profile import TrainingProfile
from servery.tasks.label_task import LabelTask
from servery.tasks.part import Part

METHOD = "contributions"
UNIT = "log-odds"
LEAST_EFFECT = 1e-9
"""A column that moves a score by less has moved nothing: rounding does as much."""


class Effect(msgspec.Struct, frozen=True):
    """A part of the input and by how much the label's score falls without it; below zero, it spoke against it."""

    part: Part
    effect: float


class Reason(msgspec.Struct, frozen=True):
    """One column that speaks against a label, the strongest first.

    Attributes:
        column: Its name; stable, for whoever has texts of their own for each.
        value: What it holds, as people read it.
        effect: By how much it moves the score, below zero.
        words: The same as a sentence.
    """

    column: str
    value: str
    effect: float
    words: str


def has_exact_reasons(predictor: Predictor) -> bool:
    """Whether a model's scores are sums over its columns, so that each one's part is exact."""
    return (
        isinstance(predictor.task, LabelTask)
        and predictor.runtime.has_contributions
        and bool(predictor.encoder.feature_columns())
    )


def column_parts(
    predictor: Predictor, examples: Sequence[Mapping[str, Any]], label: str
) -> tuple[float, list[str], np.ndarray]:
    """Return what the log-odds of a label are the sum of; only where `has_exact_reasons`.

    With two labels these are the logarithm of the label's chance over the other's. With more, the other labels'
    logits count as their mean. Where a row may carry several labels, each one's odds are its own.

    Returns:
        The log-odds of an average training row; the columns; and what each adds to it, float64, (rows, columns).
    """
    task, place = predictor.task, predictor.signature.labels.index(label)
    assert isinstance(task, LabelTask)
    base, features = predictor.runtime.contributions(predictor.encode(examples))
    temperature = predictor.calibration.temperature
    names, owners = np.unique(predictor.encoder.feature_columns(), return_inverse=True)
    parts = np.zeros((len(examples), len(names)))
    np.add.at(parts.T, owners, task.log_odds(features, place).T / temperature)
    return float(task.log_odds(base, place)) / temperature, names.tolist(), parts


def exact_effects(
    predictor: Predictor, examples: Sequence[Mapping[str, Any]], label: str
) -> tuple[float, list[tuple[Effect, ...]]]:
    """Return the log-odds of an average training row, and each column's part for each example, in order."""
    base, names, parts = column_parts(predictor, examples, label)
    places = {name: place for place, name in enumerate(names)}
    columns = [column for column in predictor.signature.inputs if column.name in places]
    rows = [
        tuple(
            Effect(
                Part(column.name, shown(example.get(column.name), column)), float(row[places[column.name]])
            )
            for column in columns
        )
        for example, row in zip(examples, parts, strict=True)
    ]
    return base, rows


def reasons_against(
    effects: Sequence[Effect], count: int, label: str, unit: str, predictor: Predictor
) -> tuple[Reason, ...]:
    """Return the parts that speak most against a label, at most `count`, the strongest first."""
    against = sorted((e for e in effects if e.effect < -LEAST_EFFECT), key=lambda effect: effect.effect)
    card, profile = scorecard_of(predictor), predictor.signature.profile
    return tuple(
        Reason(
            effect.part.column,
            effect.part.text,
            effect.effect,
            _words(effect, label, unit, card, profile),
        )
        for effect in against[:count]
    )


def _words(
    effect: Effect, label: str, unit: str, card: Scorecard | None, profile: TrainingProfile | None
) -> str:
    column = effect.part.column
    known = profile.column(column) if profile else None
    usual = "" if known is None or known.usual is None else f" (usual: {_plain(known.usual)})"
    moved = f"lowers the {unit} of {label} by {-effect.effect:.2f}"
    if unit == UNIT and card is not None:
        moved += f", {-effect.effect * card.factor:.0f} points,"
    if unit == UNIT:
        moved += " against an average row"
    return f"{column} is {effect.part.text}{usual}: it {moved}."


def shown(value: Any, column: Column) -> str:
    """Return a cell as people read it.

    >>> from servery.data.columns import Role
    >>> income = Column("income", Kind.NUMBER, Role.INPUT)
    >>> shown(32000.0, income), shown(None, income), shown(float("nan"), income)
    ('32000', 'missing', 'missing')
    """
    is_no_time = isinstance(value, np.datetime64) and bool(np.isnat(value))
    if value is None or value != value or is_no_time:
        return "missing"
    return _plain(value) if column.kind is Kind.NUMBER else str(value)[:100]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
