"""Table rows as weights of evidence: each value stands for how much more often its bin was good than bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder


@dataclass(frozen=True)
class Bin:
    """Values of one column that count alike.

    Attributes:
        condition: Which they are, in words.
        rows: Training rows among them.
        bad_share: Of these, the share with the last label; 0 without rows.
        evidence: ln of the share of all good over the share of all bad training rows; 0 without rows.
    """

    condition: str
    rows: int = 0
    bad_share: float = 0.0
    evidence: float = 0.0


@dataclass(frozen=True)
class ColumnBins:
    """The bins of one column.

    Attributes:
        known: Bins of values that are there, of a number in ascending order.
        missing: The bin of missing values.
        others: Of a category: the bin of rare and unseen values.
        edges: Of a number: the largest value of each bin but the last.
        categories: Of a category: its value to the place of its bin in `known`.
    """

    known: tuple[Bin, ...]
    missing: Bin
    others: Bin | None = None
    edges: tuple[float, ...] = ()
    categories: Mapping[str, int] = field(default_factory=dict)

    def all(self) -> tuple[Bin, ...]:
        """Return every bin."""
        return (*self.known, *((self.others,) if self.others else ()), self.missing)

    def evidence(self, cells: Sequence[Any], column: str) -> np.ndarray:
        """Return each cell's weight of evidence, float64, (rows,).

        Raises:
            InputError: A cell is not what the column holds.
        """
        if self.others is not None:
            return np.array([self._of_category(cell, column) for cell in cells], np.float64)
        values = np.array([_number(cell, column) for cell in cells], np.float64)
        known = np.array([found.evidence for found in self.known])
        places = np.searchsorted(np.array(self.edges), values, side="left").clip(max=len(known) - 1)
        return np.where(np.isfinite(values), known[places], self.missing.evidence)

    def _of_category(self, cell: Any, column: str) -> float:
        assert self.others is not None
        if cell is None:
            return self.missing.evidence
        if not isinstance(cell, str):
            raise InputError(f"{column!r} is {cell!r}; expected a text.", param=f"/{column}")
        place = self.categories.get(cell)
        return self.others.evidence if place is None else self.known[place].evidence


@dataclass(frozen=True)
class PointsScale:
    """How log-odds become points: so many at these odds of good, and so many more for twice the odds."""

    base_points: float
    base_odds: float
    points_to_double_odds: float


class WeightOfEvidence(Encoder):
    """`x`, float32, (rows, columns): the weight of evidence of each column's bin.

    Source: Siddiqi (2006), Credit Risk Scorecards, chapter 6 (initial characteristic analysis).

    Args:
        bins: Column name to its bins.
        scale: The points of the card that the weights make.
    """

    name = "weight_of_evidence"

    def __init__(self, bins: Mapping[str, ColumnBins], scale: PointsScale) -> None:
        self.bins = dict(bins)
        self.scale = scale

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the weights of evidence.

        Raises:
            InputError: A value is not what its column holds.
        """
        x = np.empty((len(examples), len(self.bins)), np.float32)
        for place, (column, bins) in enumerate(self.bins.items()):
            x[:, place] = bins.evidence([example.get(column) for example in examples], column)
        return {"x": x}

    def feature_columns(self) -> list[str]:
        """Return the columns."""
        return list(self.bins)

    def state(self) -> dict[str, Any]:
        """Return bins and scale, as plain JSON types."""
        return {
            "bins": {column: asdict(bins) for column, bins in self.bins.items()},
            "scale": asdict(self.scale),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> WeightOfEvidence:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            bins = {str(column): _read(value) for column, value in state["bins"].items()}
            return cls(bins, PointsScale(**{key: float(v) for key, v in state["scale"].items()}))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(
                f"The state of the encoder 'weight_of_evidence' is torn: {error!r}."
            ) from error


def _read(value: Mapping[str, Any]) -> ColumnBins:
    found = ColumnBins(
        known=tuple(Bin(**known) for known in value["known"]),
        missing=Bin(**value["missing"]),
        others=None if value["others"] is None else Bin(**value["others"]),
        edges=tuple(map(float, value["edges"])),
        categories={str(name): int(place) for name, place in value["categories"].items()},
    )
    if found.others is None and len(found.known) != len(found.edges) + 1:
        raise ValueError("edges that do not fit the bins")
    if not all(0 <= place < len(found.known) for place in found.categories.values()):
        raise ValueError("a category of no bin")
    if not all(np.isfinite(b.evidence) for b in found.all()):
        raise ValueError("a weight of evidence that is not finite")
    return found


def _number(cell: Any, column: str) -> float:
    if cell is None:
        return np.nan
    if isinstance(cell, (int, float, np.number)):
        return float(cell)
    raise InputError(f"{column!r} is {cell!r}; expected a number.", param=f"/{column}")
