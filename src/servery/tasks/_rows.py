"""Rows whose targets cannot be learned, named with their lines."""

from __future__ import annotations

from collections.abc import Mapping

from servery.data.dataset import Dataset
from servery.errors import DataError

MOST_NAMED = 5


def refuse_rows(dataset: Dataset, faults: Mapping[int, str]) -> None:
    """Raise a DataError that names the lines of these rows and what is wrong with each, if there are any."""
    if not faults:
        return
    shown = [f"line {dataset.line_numbers[row]}: {fault}" for row, fault in list(faults.items())[:MOST_NAMED]]
    more = f"; and {len(faults) - MOST_NAMED} more" if len(faults) > MOST_NAMED else ""
    raise DataError(
        f"The target '{dataset.target.name}' cannot be used in {len(faults)} row(s): {'; '.join(shown)}{more}.",
        hint="correct or remove these rows",
        param="target",
    )
