"""Quick looks at a data set, for estimates of what a training costs."""

from __future__ import annotations

import numpy as np

from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.models.encoders._words import CJK

SAMPLED_ROWS = 1000
CHARACTERS_PER_TOKEN = 4.0
"""Of English; a CJK character is a token of its own."""


def _sampled_texts(dataset: Dataset) -> list[str]:
    step = max(len(dataset) // SAMPLED_ROWS, 1)
    columns = [dataset[c.name][::step] for c in dataset.inputs if c.kind is Kind.TEXT]
    return ["\n".join(text or "" for text in row) for row in zip(*columns, strict=True)]


def mean_characters(dataset: Dataset) -> float:
    """Return the mean length of the texts, from at most 1,000 rows."""
    texts = _sampled_texts(dataset)
    return float(np.mean([len(text) for text in texts])) if texts else 0.0


def mean_tokens(dataset: Dataset, most: int) -> float:
    """Return about how many tokens a text has, at most `most`, from at most 1,000 rows."""
    low, high = CJK[0], CJK[-1]
    counts = []
    for text in _sampled_texts(dataset):
        wide = sum(low <= character <= high for character in text)
        counts.append(min(wide + (len(text) - wide) / CHARACTERS_PER_TOKEN, most))
    return max(float(np.mean(counts)), 1.0) if counts else 1.0


def label_count_of(dataset: Dataset) -> int:
    """Return the number of distinct labels of the target, at least 2; 1 where it is a number."""
    target = dataset.target
    if target.kind is Kind.NUMBER:
        return 1
    cells = [cell for cell in dataset[target.name] if cell is not None]
    if target.kind is Kind.LABELS:
        return max(len({label for cell in cells for label in cell}), 2)
    return max(len(set(cells)), 2)
