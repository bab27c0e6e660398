"""From a torch network that writes to two ONNX models, proven on held-out rows or refused with the reason."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from servery.models.encoder import Batch
from servery.models.runtimes.onnx_translator import NEXT, READ, STATE, OnnxTranslator
from servery.models.runtimes.torch_translator import TorchTranslator
from servery.nn.sequence_to_sequence import SequenceToSequence, State
from servery.optimize.recurrences import with_onnx_recurrences
from servery.optimize.silence import silence
from servery.tasks.written import texts_of

LEAST_EQUAL = 0.97
"""Share of the texts that must be the same: rounding in another order may turn a choice between two that tie."""
TRACED_STEPS = 3
"""What was written before the traced step: 0 or 1 tokens would be taken for a constant."""


def exported_writer(runtime: TorchTranslator, batch: Batch, threads: int) -> OnnxTranslator:
    """Return the network as two ONNX models, with their varying axes left open.

    Args:
        runtime: A network that writes, in torch.
        batch: Sentences to trace it with, at least two.
        threads: Threads one `run` may use.
    """
    network = with_onnx_recurrences(runtime.network)
    assert isinstance(network, SequenceToSequence)
    tokens = torch.from_numpy(batch["tokens"])
    with torch.no_grad():
        read, state = runtime.network.begin(tokens)
        for _ in range(TRACED_STEPS):
            _, _, state = runtime.network.step(tokens[:, 0], read, state)
    begin = _model(_Begin(network), {"tokens": tokens}, [*_named(READ, read), *_named(STATE, state)])
    inputs = {"said": tokens[:, 0].contiguous(), "read": read, "state": state}
    step = _model(_Step(runtime.network), inputs, ["chances", "looks", *_named(NEXT, state)])
    return OnnxTranslator(begin, step, runtime.pieces, runtime.max_tokens, threads)


def equal_share(one: np.ndarray, other: np.ndarray) -> float:
    """Return which share of the texts is the same, from 0 to 1.

    Args:
        one: Outputs of a writer, objects, (rows,).
        other: Outputs of another one for the same rows.
    """
    return float(np.mean([a == b for a, b in zip(texts_of(one), texts_of(other), strict=True)]))


class _Begin(nn.Module):
    def __init__(self, network: SequenceToSequence) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        read, state = self.network.begin(tokens)
        return (*read.values(), *state.values())


class _Step(nn.Module):
    def __init__(self, network: SequenceToSequence) -> None:
        super().__init__()
        self.network = network

    def forward(self, said: Tensor, read: State, state: State) -> tuple[Tensor, ...]:
        logits, looks, state = self.network.step(said, read, state)
        return (logits.log_softmax(dim=1), looks, *state.values())


def _named(start: str, tensors: State) -> list[str]:
    return [f"{start}{name}" for name in tensors]


def _model(module: nn.Module, inputs: Mapping[str, Any], outputs: Sequence[str]) -> bytes:
    """Return a module as a serialized ONNX model; the inputs of mappings are called `read_` and `state_` and a name."""
    with tempfile.TemporaryDirectory() as folder, silence():
        path = Path(folder) / "model.onnx"
        program = torch.onnx.export(
            module.eval(),
            kwargs=dict(inputs),
            dynamo=True,
            dynamic_shapes=_open(inputs),
            output_names=list(outputs),
            external_data=False,
            verbose=False,
        )
        assert program is not None
        program.save(path)
        return path.read_bytes()


def _open(value: Any) -> Any:
    """Leave every axis open that the network does not fix."""
    if isinstance(value, Mapping):
        return {name: _open(tensor) for name, tensor in value.items()}
    return dict.fromkeys(range(value.ndim), torch.export.Dim.AUTO)
