"""The smallest honest forecaster of tracks: everybody goes on as in the last step, in three ways."""

from __future__ import annotations

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.scenes import Scenes
from servery.models.predictor import Predictor
from servery.models.runtimes.constant_velocity import ConstantVelocity
from servery.models.signature import Signature
from servery.tasks.task import Calibration

EXAMPLE = {"step_seconds": 0.5, "agents": [{"agent_id": "ann", "positions_m": [[0.0, 0.0], [1.0, 0.0]]}]}


def walkers() -> Predictor:
    """Four steps of half a second; straight on, to the left, to the right; nobody is faster than 2 m a step."""
    factors = np.array([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6]], np.float32)
    runtime = ConstantVelocity(factors, np.array([0.5, 0.25, 0.25], np.float32), 4, 2.0)
    signature = Signature(
        task="trajectory-prediction",
        field="autonomous-driving",
        inputs=(Column("scene", Kind.SCENE, Role.INPUT),),
        target="futures",
        example=EXAMPLE,
    )
    calibration = Calibration(margins=(0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3), fitted_on=100)
    return Predictor(signature, Scenes("scene", 3, 0.5), runtime, calibration, "test-constant-velocity")
