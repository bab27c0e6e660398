"""The smallest honest designer: boats whose speed and price are known to go with length, and with the wood."""

from __future__ import annotations

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.metrics.intervals import COVERAGES
from servery.models.encoders.rows import Rows
from servery.models.predictor import Predictor
from servery.models.runtimes.linear import Linear
from servery.models.signature import Signature
from servery.pipeline.design import designer_of
from servery.tasks.task import Calibration

DIMENSIONS = (
    Column("length_m", Kind.NUMBER, Role.INPUT, low=2.0, high=10.0),
    Column("wood", Kind.CATEGORY, Role.INPUT, categories=("oak", "pine")),
)
MARGIN = 0.5
"""Half an interval, whatever is promised."""


def shipwright() -> Predictor:
    """Speed is the length and 1 more of pine; the price is twice the length and 4 more of oak."""
    return designer_of(
        {"speed": surrogate("speed", 1.0, 0.0, 1.0), "price": surrogate("price", 2.0, 4.0, 0.0)}
    )


def surrogate(quantity: str, slope: float, oak: float, pine: float) -> Predictor:
    rows = [{"length_m": 5.0, "wood": "oak"}, {"length_m": 7.0, "wood": "pine"}]
    encoder = Rows.fit(rows, DIMENSIONS, layout="one-hot")  # of mean 6 and deviation 1
    weight = np.array([[slope], [oak], [pine]], np.float32)
    runtime = Linear(weight, np.array([6.0 * slope], np.float32))
    signature = Signature("regression", "ai-assisted-design", DIMENSIONS, target=quantity, example=rows[0])
    calibration = Calibration(fitted_on=100, margins=(MARGIN,) * len(COVERAGES))
    return Predictor(signature, encoder, runtime, calibration, "test-linear")
