"""Turns examples into arrays, the same way in training and in serving; needs numpy, never torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from servery.discovery import module_names
from servery.errors import UnknownNameError

Batch = dict[str, np.ndarray]
"""Named arrays whose first axis is the row; the names are the network's inputs, in order.

A sparse batch is in compressed row form instead: `indices` and `values` hold the entries of all rows, and row `i`
owns those from `offsets[i]` to `offsets[i + 1]`.
"""


class Encoder(ABC):
    """Learned state (a vocabulary, means and scales) that turns examples into a batch.

    An encoder class stands in its own file under `models/encoders/`, named as the file (`rows.py` -> "rows"). Only
    the files that manifests name are imported.
    What was learned goes to JSON by `state` and comes back by `restore`.
    """

    name: ClassVar[str] = ""

    @abstractmethod
    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the arrays of these examples, padded to the longest among them.

        Args:
            examples: Column name to value, one mapping a row.
            cut: Shorten what is over the model's length instead of refusing it; for whole data sets, never for
                a request.

        Raises:
            TooLongError: An example is over the model's length.
            InputError: A value is not one its column can hold.
        """

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return how much work each example is (tokens, pixels); batches are made of like sizes."""
        return [1] * len(examples)

    def feature_columns(self) -> list[str]:
        """Return for each feature of `x` the column it comes from; empty where features are of no single column."""
        return []

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON types."""

    def save(self, folder: Path) -> None:
        """Write what has a format of its own, e.g. a tokenizer, into the artifact's folder."""
        return

    @classmethod
    def load(cls, folder: Path, state: dict[str, Any]) -> Encoder:
        """Rebuild the encoder from `state` and what `save` wrote.

        Raises:
            ArtifactError: They are none that this encoder wrote.
        """
        return cls.restore(state)

    @classmethod
    @abstractmethod
    def restore(cls, state: dict[str, Any]) -> Encoder:
        """Rebuild the encoder from `state`.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """


def find_encoder(name: str) -> type[Encoder]:
    """Import and return the encoder class of that name.

    Raises:
        UnknownNameError: There is none.
    """
    known = module_names("servery.models.encoders")
    if name not in known:
        raise UnknownNameError.among("encoder", name, known)
    values = vars(import_module(f"servery.models.encoders.{name}")).values()
    return next(v for v in values if isinstance(v, type) and issubclass(v, Encoder) and v.name == name)
