"""Outputs whose rows have shapes of their own: texts, and sequences padded batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.errors import NonFiniteError
from servery.models.encoder import Batch, Encoder
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.models.signature import Limits, Signature
from servery.tasks.task import Calibration


class Lengths(Encoder):
    """Encodes a text as its length."""

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        return {"lengths": np.array([len(example["text"]) for example in examples])}

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        return [len(example["text"]) for example in examples]

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Lengths:
        return cls()


class Counting(Runtime):
    """Puts out a row of ones for each letter, padded with zeros to the batch's longest."""

    def run(self, batch: Batch) -> np.ndarray:
        lengths = batch["lengths"]
        return (np.arange(lengths.max()) < lengths[:, None]).astype(np.float32)

    def save(self, folder: Path) -> None:
        return

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Counting:
        return cls()


class Shouting(Counting):
    """Puts out a text a row."""

    def run(self, batch: Batch) -> np.ndarray:
        return np.array(["A" * length for length in batch["lengths"]], dtype=object)


class Broken(Counting):
    """Puts out rows of different lengths, one of them with a NaN."""

    def run(self, batch: Batch) -> np.ndarray:
        rows = np.empty(2, dtype=object)
        rows[0], rows[1] = np.ones(2), np.array([1.0, np.nan, 1.0])
        return rows


@pytest.fixture
def counting() -> Predictor:
    text = Column("text", Kind.TEXT, Role.INPUT)
    signature = Signature("classification", "test", (text,), ("a", "b"), Limits())
    return Predictor(signature, Lengths(), Counting(), Calibration(), "counting")


def test_rows_of_batches_with_other_lengths_come_back_in_the_order_of_the_examples(
    counting: Predictor,
) -> None:
    texts = ["four", "a", "seventh", "bc"]
    outputs = counting.outputs([{"text": text} for text in texts], batch_size=1)
    assert outputs.dtype == object
    assert [row.sum() for row in outputs] == [4, 1, 7, 2]


def test_texts_are_outputs_too(counting: Predictor) -> None:
    outputs = replace(counting, runtime=Shouting()).outputs(
        [{"text": "abc"}, {"text": "a"}, {"text": "ab"}], batch_size=2
    )
    assert outputs.tolist() == ["AAA", "A", "AA"]


def test_a_row_that_is_not_finite_is_found_among_rows_of_other_shapes(counting: Predictor) -> None:
    with pytest.raises(NonFiniteError):
        replace(counting, runtime=Broken()).run({})
