"""From a torch network to ONNX, proven on held-out rows or refused with the reason."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from servery.data.dataset import Dataset
from servery.errors import MissingExtraError
from servery.models.encoder import Batch
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.models.runtimes.onnx import Onnx
from servery.models.runtimes.sampler import Sampler
from servery.models.runtimes.torch_network import TorchNetwork
from servery.models.runtimes.torch_translator import TorchTranslator
from servery.nn.network import Network
from servery.optimize.export_writing import LEAST_EQUAL, equal_share, exported_writer
from servery.optimize.latency import latency_ms
from servery.optimize.recurrences import with_onnx_recurrences
from servery.optimize.silence import silence

TOLERANCE = 1e-4
"""Largest difference of a logit: below it, decisions differ only where two labels tie. Rounding in another order
stays a hundredfold below."""
COMPARED_ROWS = 200
COMPARED_PICTURES = 8
"""Drawn in dozens of passes each."""
SAMPLE_ROWS = 4
"""Rows the network is traced with; one row or a length of one would be taken for a constant."""
SLOWER = 0.8
"""ONNX Runtime serves even if it is this much slower: a process without torch is smaller and starts quicker."""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What the exporter paints its messages with."""

Example = Mapping[str, Any]


def export_to_onnx(predictor: Predictor, validation: Dataset, threads: int = 1) -> Predictor:
    """Return the model in ONNX Runtime if that agrees with torch, else the model as it was, and why.

    The outputs are compared on held-out rows in batches of like lengths, one row alone, and the longest rows.

    Args:
        predictor: A trained model; one that needs no torch comes back unchanged.
        validation: Held-out rows.
        threads: Threads one `run` may use.
    """
    if not isinstance(_network_of(predictor.runtime), TorchNetwork | TorchTranslator):
        return predictor
    rows = list(validation.take(np.arange(min(len(validation), COMPARED_ROWS))).examples())
    try:
        exported = replace(predictor, runtime=_exported(predictor, rows, threads))
    except MissingExtraError as error:
        return replace(predictor, runtime_reason=f"torch, because there is no export: {error.hint}")
    except Exception as error:
        # The exporter raises whatever its passes raise; a finished training must not be lost to it.
        reason = f"torch, because the export failed: {type(error).__name__}{_first_line(error)}"
        return replace(predictor, runtime_reason=reason)
    agreement = _compare(predictor, exported, rows)
    if not agreement.holds:
        return replace(predictor, runtime_reason=f"torch, because ONNX Runtime {agreement.words}")
    alone, sixteen = (_speed_up(predictor, exported, rows[:count]) for count in (1, 16))
    speed = f"{alone:.1f} times as fast at batch 1, {sixteen:.1f} times at batch 16"
    if max(alone, sixteen) < SLOWER:
        return replace(predictor, runtime_reason=f"torch, because ONNX Runtime answered only {speed}")
    return replace(exported, runtime_reason=f"ONNX Runtime {agreement.words} and answered {speed}")


@dataclass(frozen=True)
class Agreement:
    """How two runtimes of one model compare: whether that is good enough, and in words."""

    holds: bool
    words: str


def _compare(original: Predictor, exported: Predictor, rows: Sequence[Example]) -> Agreement:
    if isinstance(original.runtime, TorchTranslator):
        share = equal_share(original.outputs(rows), exported.outputs(rows))
        return Agreement(
            share >= LEAST_EQUAL, f"wrote {share:.0%} of {len(rows)} held-out texts as torch did"
        )
    if isinstance(original.runtime, Sampler):
        rows = rows[:COMPARED_PICTURES]
    sizes = original.encoder.sizes(rows)
    longest = [rows[place] for place in np.argsort(sizes)[-3:]]
    largest = max(
        _largest_difference(original.outputs(chosen), exported.outputs(chosen))
        for chosen in (rows, rows[:1], longest)
    )
    if largest > TOLERANCE:
        return Agreement(False, f"differed from torch by up to {largest:.1g}")
    return Agreement(
        True, f"agreed with torch on {len(rows)} held-out rows (largest difference {largest:.0e})"
    )


def _largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    # Rows of different shapes are compared row by row.
    return max(float(np.abs(a - b).max(initial=0.0)) for a, b in zip(one, other, strict=True))


def _first_line(error: Exception) -> str:
    lines = COLOURS.sub("", str(error)).splitlines()
    return f": {lines[0][:200]}" if lines else ""


def _speed_up(original: Predictor, exported: Predictor, rows: Sequence[Example]) -> float:
    batch = original.encoder.encode(rows, cut=True)
    if isinstance(original.runtime, Sampler):
        batch = original.runtime.first_batch(batch)
    return latency_ms(_network_of(original.runtime), batch) / latency_ms(_network_of(exported.runtime), batch)


def _network_of(runtime: Runtime) -> Runtime:
    """Return what does the work in a runtime: of a sampler the network that it calls again and again."""
    return runtime.network if isinstance(runtime, Sampler) else runtime


def _exported(predictor: Predictor, rows: Sequence[Example], threads: int) -> Runtime:
    if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript")):
        raise MissingExtraError.named("onnx")
    runtime = predictor.runtime
    sample = predictor.encoder.encode([rows[place % len(rows)] for place in range(SAMPLE_ROWS)], cut=True)
    if isinstance(runtime, TorchTranslator):
        return exported_writer(runtime, sample, threads)
    if isinstance(runtime, Sampler):
        assert isinstance(runtime.network, TorchNetwork)
        first = runtime.first_batch(sample)
        return runtime.with_network(Onnx(onnx_bytes(runtime.network.network, first), threads))
    assert isinstance(runtime, TorchNetwork)
    return Onnx(onnx_bytes(runtime.network, sample), threads)


def onnx_bytes(network: Network, batch: Batch) -> bytes:
    """Return a network as a serialized ONNX model, with its varying axes left open.

    Args:
        network: In evaluation mode, on the CPU.
        batch: Arrays to trace it with.
    """
    inputs = {name: torch.from_numpy(_not_single(array, network.axes[name])) for name, array in batch.items()}
    shapes = {
        name: {place: torch.export.Dim.DYNAMIC for place, _ in enumerate(axes)}
        for name, axes in network.axes.items()
    }
    with tempfile.TemporaryDirectory() as folder, silence():
        path = Path(folder) / "model.onnx"
        program = torch.onnx.export(
            with_onnx_recurrences(network),
            kwargs=inputs,
            dynamo=True,
            dynamic_shapes=shapes,
            external_data=False,
            verbose=False,
        )
        assert program is not None
        program.save(path)
        return path.read_bytes()


def _not_single(array: np.ndarray, axes: tuple[str, ...]) -> np.ndarray:
    grown = [(0, 1 if place < len(axes) and size == 1 else 0) for place, size in enumerate(array.shape)]
    return np.pad(array, grown)
