"""The smallest honest recommender: five items, two of which go together, and one user who is remembered."""

from __future__ import annotations

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.events import Event
from servery.models.encoders.histories import Histories
from servery.models.predictor import Predictor
from servery.models.runtimes.recommender import Recommender
from servery.models.signature import Signature
from servery.tasks.task import Calibration

ITEMS = ("mug", "teapot", "spade", "seeds", "乌龙茶")
PAIRS = [(0, 1), (1, 0), (2, 3), (3, 2), (4, 1)]
"""Whoever took the first is likely to take the second."""


def shelves() -> Predictor:
    """A model of neighbours: what goes with a history, else what is popular."""
    sources, targets = np.array(PAIRS, np.int64).T
    tensors = {
        "popularity": np.array([0.5, 0.4, 0.3, 0.2, 0.1], np.float32),
        "sources": sources.copy(),
        "targets": targets.copy(),
        "weights": np.full(len(PAIRS), 0.6, np.float32),
    }
    columns = [("user_id", Kind.CATEGORY), ("history", Kind.EVENTS)]
    signature = Signature(
        task="recommendation",
        field="recommendation",
        inputs=tuple(Column(name, kind, Role.INPUT) for name, kind in columns),
        labels=ITEMS,
        target="next",
        example={"user_id": "u1", "history": ["mug"]},
    )
    encoder = Histories.fit("user_id", "history", ITEMS, {"u1": (Event("spade", 86_400),)})
    runtime = Recommender("neighbours", tensors, {"repeat_weight": 0.3, "half_life_days": 30.0})
    return Predictor(signature, encoder, runtime, Calibration(), "test-recommender")
