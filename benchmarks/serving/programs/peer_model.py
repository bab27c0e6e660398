"""The model as a peer's own program loads it: the same network, weights, tokens and threads as in Servery.

Runs in the environments of the peers. The torch networks are Servery's own classes (`servery.nn`, which needs torch
alone), found on PYTHONPATH, so that nobody computes something else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESERVED_TOKENS = 2
"""As in `servery.models.encoders.tokens`: 0 pads, 1 is unknown."""


class PeerModel:
    """A loaded model.

    Attributes:
        is_text: Whether it takes texts, not numbers.
        max_batch_rows: Rows a batch, as configured.
    """

    def __init__(self) -> None:
        folder = Path(os.environ["BENCHMARK_MODEL"])
        self.max_batch_rows = int(os.environ["BENCHMARK_MAX_BATCH_ROWS"])
        self.is_text = (folder / "tokenizer.json").exists()
        if self.is_text:
            from tokenizers import Tokenizer

            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._run = _onnx(folder) if (folder / "model.onnx").exists() else _torch(folder)

    def scores(self, inputs: Sequence[Any]) -> np.ndarray:
        """Return softmax scores, float32, (rows, labels).

        Args:
            inputs: Texts, or rows of numbers (also as one array, float32).
        """
        if self.is_text:
            rows = [
                [
                    number + RESERVED_TOKENS
                    for number in self._tokenizer.encode(text, add_special_tokens=False).ids
                ]
                for text in inputs
            ]
            tokens = np.zeros((len(rows), max(map(len, rows))), np.int64)
            for row, numbers in zip(tokens, rows, strict=True):
                row[: len(numbers)] = numbers
            logits = self._run({"tokens": tokens})
        else:
            logits = self._run({"x": np.asarray(inputs, np.float32)})
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _onnx(folder: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    return lambda batch: session.run(None, batch)[0]


def _torch(folder: Path) -> Any:
    import torch

    from servery.nn.network import build_network

    torch.set_num_threads(1)
    described = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    network = build_network(described["network"], described["arguments"]).eval()
    weights = np.load(folder / "weights.npz")
    network.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})

    def run(batch: dict[str, np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            inputs = {name: torch.from_numpy(array) for name, array in batch.items()}
            return np.asarray(network(**inputs).numpy())

    return run
