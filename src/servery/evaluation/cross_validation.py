"""Makes a model again on other rows, fold by fold, to see how much its score depends on the split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import msgspec
import numpy as np

from servery.data.columns import Kind, Role
from servery.data.dataset import Dataset
from servery.data.duplicates import find_duplicates
from servery.errors import DataError
from servery.models.predictor import Predictor
from servery.progress import Progress, Silence
from servery.tasks.task import learnable

VALIDATION_FOLDS = 8
"""One part in so many of a fold's training rows is kept for validation."""


@dataclass(frozen=True)
class CrossValidation:
    """The metrics of every fold.

    Attributes:
        primary_metric: The metric that decides.
        folds: Metrics by name, one mapping a fold.
        rows: Rows each fold was measured on.
        mean: Over the folds.
        deviation: Standard deviation over the folds, with one degree of freedom taken off.
        grouping: What was kept together, in words.
    """

    primary_metric: str
    folds: tuple[dict[str, float], ...]
    rows: tuple[int, ...]
    mean: dict[str, float]
    deviation: dict[str, float]
    grouping: str = ""

    def headline(self) -> list[tuple[str, str]]:
        """Return name and text of every metric, for the terminal."""
        return [
            (name, f"{mean:.3f} ± {self.deviation[name]:.3f} over {len(self.folds)} folds")
            for name, mean in self.mean.items()
        ]

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(n)}</th><td>{escape(t)}</td></tr>" for n, t in self.headline())
        return f"<table>{rows}</table>"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> CrossValidation:
        """Rebuild it from `to_dict`.

        Raises:
            DataError: It is not what `to_dict` wrote.
        """
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise DataError(f"This is no cross-validation: {error}.") from error


def cross_validate(
    make: Callable[[Dataset, Dataset], Predictor],
    dataset: Dataset,
    folds: int,
    seed: int,
    progress: Progress | None = None,
) -> CrossValidation:
    """Make and measure a model once for every fold.

    Args:
        make: Learns from a train part, chooses on a validation part, returns a calibrated model.
        dataset: All rows.
        folds: How many, 2 or more.
        seed: The folds depend on it only.
        progress: Hears the news.

    Raises:
        DataError: Fewer than two folds, or more than there are groups of rows.

    Source: Kohavi (1995), A study of cross-validation and bootstrap for accuracy estimation and model selection.
    """
    progress = progress or Silence()
    fold_of, grouping = assign_folds(dataset, folds, seed)
    measured, rows, primary = [], [], ""
    for fold in range(folds):
        progress.update("Cross-validation", fold, folds)
        learned_from, judged = dataset.take(fold_of != fold), dataset.take(fold_of == fold)
        inner, _ = assign_folds(learned_from, min(VALIDATION_FOLDS, len(learned_from)), seed)
        predictor = make(learned_from.take(inner != 0), learned_from.take(inner == 0))
        task = learnable(predictor.task)
        targets = task.encode_targets(judged, predictor.signature.labels)
        outputs = predictor.outputs(list(judged.examples()))
        measured.append(task.measure(targets, outputs, predictor.calibration))
        rows.append(len(judged))
        primary = task.primary_metric
        progress.say(f"Fold {fold + 1}", f"{primary} {measured[-1][primary]:.3f} on {len(judged):,} rows")
    progress.update("Cross-validation", folds, folds)
    names = [name for name in measured[0] if all(name in found for found in measured)]
    values = {name: np.array([found[name] for found in measured]) for name in names}
    return CrossValidation(
        primary_metric=primary,
        folds=tuple(measured),
        rows=tuple(rows),
        mean={name: float(column.mean()) for name, column in values.items()},
        deviation={name: float(column.std(ddof=1)) for name, column in values.items()},
        grouping=grouping,
    )


def assign_folds(dataset: Dataset, folds: int, seed: int) -> tuple[np.ndarray, str]:
    """Give every row a fold: labels spread evenly, rows of a group and copies of a row together.

    Returns:
        The fold of each row, int64, (rows,), and what was kept together, in words.

    Raises:
        DataError: Fewer than two folds, or more than there are groups.
    """
    groups, grouping = _groups(dataset)
    _, first, unit_of, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    if not 2 <= folds <= len(first):
        raise DataError(f"{folds} folds were asked for; there can be 2 to {len(first):,}.", param="folds")
    shuffled = np.random.default_rng([seed, 3]).permutation(len(first))
    # Dealt out like cards, sorted by label and then by size: each fold gets its share of both.
    order = shuffled[np.lexsort((-sizes[shuffled], _strata(dataset)[first][shuffled]))]
    fold_of = np.empty(len(first), dtype=np.int64)
    fold_of[order] = np.arange(len(first)) % folds
    return fold_of[unit_of], grouping


def _groups(dataset: Dataset) -> tuple[np.ndarray, str]:
    column = next((c for c in dataset.columns if c.role is Role.GROUP), None)
    if column is not None:
        values = np.array([str(value) for value in dataset[column.name]], dtype=object)
        return np.unique(values, return_inverse=True)[1], f"rows of the same {column.name} kept together"
    return find_duplicates(dataset).near, "copies of a row kept together"


def _strata(dataset: Dataset) -> np.ndarray:
    """Number the classes of the rows; of several labels a row the rarest one counts, int64, (rows,)."""
    cells = dataset[dataset.target.name].tolist()
    if dataset.target.kind is Kind.LABELS:
        counts: dict[str, int] = {}
        for label in (label for cell in cells for label in cell):
            counts[label] = counts.get(label, 0) + 1
        cells = [min(cell, key=lambda label: (counts[label], label)) if cell else "" for cell in cells]
    return np.unique(np.array([str(cell) for cell in cells], dtype=object), return_inverse=True)[1]
