"""The model behind LitServe."""

from __future__ import annotations

import sys
from typing import Any

import litserve
import numpy as np
from peer_model import PeerModel

BATCH_TIMEOUT_SECONDS = 0.001
"""Waits for a batch: of 0, 1, 5 and 10 ms the quickest at 1 and at 64 connections together. 0 polls without a pause."""


class Api(litserve.LitAPI):  # type: ignore[misc]
    """Decode in the API's process, stack, run, take apart."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self.model = PeerModel()

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # an annotation would be its schema
        """Take the input out of the body."""
        value = request["input"]
        return value if isinstance(value, str) else np.array(value, np.float32)

    def batch(self, inputs: list[Any]) -> Any:
        """Make one batch."""
        return inputs if isinstance(inputs[0], str) else np.stack(inputs)

    def predict(self, batch: Any) -> np.ndarray:
        """Run the model."""
        return self.model.scores(batch)

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        """Give each request its row."""
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict[str, list[float]]:
        """Make the answer."""
        return {"scores": output.tolist()}


if __name__ == "__main__":
    import os

    rows = int(os.environ["BENCHMARK_MAX_BATCH_ROWS"])
    api = Api(max_batch_size=rows, batch_timeout=BATCH_TIMEOUT_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=2,
        log_level="warning",
        generate_client_file=False,
    )
