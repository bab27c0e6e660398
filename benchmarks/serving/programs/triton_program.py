"""The model behind Triton, through PyTriton."""

from __future__ import annotations

import os
import sys

import numpy as np
from peer_model import PeerModel
from peer_ports import free_port
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


@batch
def infer_numbers(x: np.ndarray) -> dict[str, np.ndarray]:
    """Answer rows of numbers."""
    return {"scores": model.scores(x)}


@batch
def infer_texts(text: np.ndarray) -> dict[str, np.ndarray]:
    """Answer texts."""
    return {"scores": model.scores([value.decode() for value in text[:, 0]])}


if __name__ == "__main__":
    model = PeerModel()
    rows = int(os.environ["BENCHMARK_MAX_BATCH_ROWS"])
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=int(sys.argv[1]),
        grpc_port=free_port(),
        metrics_port=free_port(),
        log_verbose=0,
    )
    given = Tensor(name="text", dtype=bytes, shape=(1,)) if model.is_text else None
    with Triton(config=config) as triton:
        triton.bind(
            model_name="model",
            infer_func=infer_texts if model.is_text else infer_numbers,
            inputs=[given or Tensor(name="x", dtype=np.float32, shape=(784,))],
            outputs=[Tensor(name="scores", dtype=np.float32, shape=(-1,))],
            config=ModelConfig(max_batch_size=rows, batcher=DynamicBatcher(max_queue_delay_microseconds=0)),
        )
        triton.serve()
