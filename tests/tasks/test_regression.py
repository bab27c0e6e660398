"""Numbers with intervals: what is learned, measured and answered."""

from __future__ import annotations

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError
from servery.tasks.regression import REGRESSION, RegressionAnswer, RegressionParameters, spreads
from servery.tasks.task import Calibration

CHANCE = np.random.default_rng(5)


def drawn(rows: int, hardness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """True numbers, and outputs that know how unsure they are: every second row is `hardness` times as hard."""
    unsure = np.where(np.arange(rows) % 2, hardness, 1.0)
    predicted = CHANCE.normal(0, 5, rows)
    targets = predicted + unsure * CHANCE.normal(0, 1, rows)
    return targets, np.stack([predicted, unsure], axis=1).astype(np.float32)


def test_intervals_hold_what_they_promise_on_rows_that_were_not_looked_at() -> None:
    calibration = REGRESSION.calibrate(*drawn(4000, 4.0))
    targets, outputs = drawn(4000, 4.0)
    for coverage in (0.5, 0.75, 0.9, 0.95):
        asked = RegressionParameters(coverage=coverage)
        answers = REGRESSION.decode(outputs, (), calibration, asked)
        held = [a.low <= true <= a.high for a, true in zip(answers, targets, strict=True)]  # type: ignore[attr-defined]
        assert np.mean(held) == pytest.approx(coverage, abs=0.02)


def test_a_row_the_model_is_unsure_of_gets_a_wider_interval() -> None:
    calibration = REGRESSION.calibrate(*drawn(500, 4.0))
    easy, hard = REGRESSION.decode(
        np.array([[1.0, 1.0], [1.0, 4.0]], np.float32), (), calibration, RegressionParameters()
    )
    assert isinstance(easy, RegressionAnswer)
    assert isinstance(hard, RegressionAnswer)
    assert hard.high - hard.low == pytest.approx(4 * (easy.high - easy.low), rel=1e-6)  # type: ignore[operator]


def test_a_model_held_against_nothing_promises_no_interval() -> None:
    (answer,) = REGRESSION.decode(np.array([[2.5]], np.float32), (), Calibration(), RegressionParameters())
    assert answer == RegressionAnswer(2.5, None, None, 0.9)


def test_the_mean_explains_nothing_and_the_truth_everything() -> None:
    targets = np.array([1.0, 2.0, 6.0])
    mean = REGRESSION.trivial_outputs(targets, 0, 3)
    assert REGRESSION.measure(targets, mean, Calibration())["r2"] == pytest.approx(0.0)
    perfect = REGRESSION.measure(targets, targets[:, None].astype(np.float32), Calibration())
    assert perfect["r2"] == 1.0
    assert perfect["rmse"] == perfect["mae"] == perfect["bias"] == 0.0


def test_a_row_without_a_number_is_named() -> None:
    raw = RawTable(
        {"size": object_array(["1", "2", "3"]), "cost": object_array(["10", "12.5", "x"])},
        np.array([2, 3, 4]),
    )
    dataset = build_dataset(raw, "costs", target="cost", kinds={"size": "number", "cost": "number"})
    assert REGRESSION.encode_targets(dataset, ()).tolist() == [10.0, 12.5]
    dataset["cost"][1] = np.inf
    with pytest.raises(DataError, match=r"line 3: no finite number"):
        REGRESSION.encode_targets(dataset, ())


def test_a_model_that_says_nothing_is_as_unsure_of_every_row() -> None:
    assert spreads(np.zeros((3, 1), np.float32)).tolist() == [1.0, 1.0, 1.0]
