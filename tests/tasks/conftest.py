"""Small data sets by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset, Source


def dataset_of(values: Sequence[Any], kind: Kind) -> Dataset:
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return Dataset(
        columns=(Column("label", kind, Role.TARGET),),
        values={"label": cells},
        source=Source("by-hand", None, "0"),
        line_numbers=np.arange(2, len(values) + 2),
    )


@pytest.fixture
def make_dataset():
    return dataset_of
