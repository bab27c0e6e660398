"""What is measured: four seeded models, and the rows of the table that ask them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

WIDTH = 784
LABELS = 10
BODIES = 128
"""Different requests of each model; the load generator sends them in turn."""


@dataclass(frozen=True)
class Model:
    """A model of the comparison; the same weights for every system.

    Attributes:
        name: What it is called everywhere.
        title: What it is, for the table.
        runtime: What computes it unless asked otherwise: "onnx" or "torch", in every system alike.
        tokens: Tokens of each of its texts; 0 for the model that takes numbers.
        network: Name and arguments of the network; empty for the model that is written as ONNX at once.
        arguments: How the network is built.
        max_batch_rows: Largest batch, in every system that has such a setting.
    """

    name: str
    title: str
    runtime: str
    tokens: int = 0
    network: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    max_batch_rows: int = 64

    @property
    def is_text(self) -> bool:
        """Whether it takes a text rather than numbers."""
        return self.tokens > 0


def _encoder(size: int, heads: int, num_layers: int) -> tuple[tuple[str, Any], ...]:
    return (("embedding_size", size), ("heads", heads), ("num_layers", num_layers), ("max_tokens", 128))


MODELS = {
    model.name: model
    for model in (
        Model("mlp", "784-128-10 network", "onnx"),
        Model(
            "lstm",
            "LSTM text classifier, 32 tokens",
            "torch",
            32,
            "recurrent",
            (("cell", "lstm"), ("embedding_size", 64), ("hidden_size", 64), ("num_layers", 1)),
        ),
        Model(
            "encoder",
            "transformer encoder, 7 layers of 192, 16 tokens, about 2.5 ms",
            "torch",
            16,
            "text_transformer",
            _encoder(192, 4, 7),
        ),
        Model(
            "heavy",
            "transformer encoder, 16 layers of 512, 64 tokens, about 60 ms",
            "torch",
            64,
            "text_transformer",
            _encoder(512, 8, 16),
            max_batch_rows=16,
        ),
    )
}


@dataclass(frozen=True)
class Row:
    """One row of the table: a model asked in one way.

    Attributes:
        name: How the command line calls it.
        title: How the table calls it.
        model: Which model.
        wire: "json" or "binary".
        connections: Open at once; each asks again when it was answered.
        rate: Requests a second instead, each due at its time whatever became of the others; 0 for none.
        limit_batch: Rows a batch of the in-process limit that it is held against; 0 for none.
    """

    name: str
    title: str
    model: str
    wire: str = "json"
    connections: int = 64
    rate: float = 0.0
    limit_batch: int = 0


ROWS = (
    Row("mlp-json-64", "784-128-10, JSON, 64 connections", "mlp"),
    Row("mlp-json-1", "784-128-10, JSON, 1 connection", "mlp", connections=1),
    Row("mlp-json-300", "784-128-10, JSON, 300 requests/s", "mlp", connections=256, rate=300.0),
    Row("mlp-binary-64", "784-128-10, binary tensors, 64 connections", "mlp", "binary"),
    Row("lstm-16", "LSTM text classifier, 16 connections", "lstm", connections=16),
    Row("encoder-16", "encoder of 2.5 ms, 16 connections", "encoder", connections=16, limit_batch=16),
    Row("encoder-64", "encoder of 2.5 ms, 64 connections", "encoder", connections=64, limit_batch=64),
    Row("heavy-1", "encoder of 60 ms, 1 connection", "heavy", connections=1, limit_batch=1),
    Row("heavy-16", "encoder of 60 ms, 16 connections", "heavy", connections=16, limit_batch=16),
)


def rows_like(patterns: Sequence[str]) -> list[Row]:
    """Return the rows whose names match one of the patterns, in the order of the table.

    >>> [row.name for row in rows_like(["encoder-*", "mlp-json-1"])]
    ['mlp-json-1', 'encoder-16', 'encoder-64']
    """
    return [row for row in ROWS if any(fnmatch(row.name, pattern) for pattern in patterns)]


def cache_folder() -> Path:
    """Return where environments and models lie, outside of the project: SERVERY_BENCHMARK_CACHE or the user's cache."""
    told = os.environ.get("SERVERY_BENCHMARK_CACHE")
    return Path(told) if told else user_cache_path("servery-benchmark")
