"""The model behind TorchServe: a handler of whole batches."""

from __future__ import annotations

import json
from typing import Any

from peer_model import PeerModel

_model: PeerModel | None = None


def handle(data: list[dict[str, Any]] | None, context: Any) -> list[dict[str, list[float]]] | None:
    """Answer a batch of requests; the first call, without data, loads the model."""
    global _model
    if _model is None:
        _model = PeerModel()
    if data is None:
        return None
    bodies = [row.get("body") or row.get("data") for row in data]
    values = [(b if isinstance(b, dict) else json.loads(b))["input"] for b in bodies]
    return [{"scores": row} for row in _model.scores(values).tolist()]
