"""The model behind BentoML."""

import os

import bentoml
import numpy as np
from peer_model import PeerModel

MAX_BATCH_ROWS = int(os.environ["BENCHMARK_MAX_BATCH_ROWS"])
MAX_LATENCY_MS = 10_000
"""Beyond it requests are refused; the dispatcher itself learns how long to wait."""


@bentoml.service(
    workers=2,
    traffic={"timeout": 60, "max_concurrency": 2000},
    logging={"access": {"enabled": False}},
    metrics={"enabled": True},
)
class Served:
    """One service, one model."""

    def __init__(self) -> None:
        self.model = PeerModel()

    if PeerModel().is_text:

        @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_ROWS, max_latency_ms=MAX_LATENCY_MS)
        def predict(self, inputs: list[str]) -> np.ndarray:
            """Answer texts."""
            return self.model.scores(inputs)
    else:

        @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_ROWS, max_latency_ms=MAX_LATENCY_MS)
        def predict(self, inputs: np.ndarray) -> np.ndarray:
            """Answer rows of numbers."""
            return self.model.scores(inputs)
