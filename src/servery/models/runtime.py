"""What computes a model's outputs from a batch: numpy, ONNX Runtime, LightGBM or torch, one file each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from servery.discovery import module_names
from servery.errors import UnknownNameError
from servery.models.encoder import Batch


class Runtime(ABC):
    """Loaded weights, ready to run.

    A runtime class stands in its own file under `models/runtimes/`, named as the file (`onnx.py` -> "onnx"), with
    a module-level `RUNTIME = ThatClass`.

    Only `torch_network.py`, `torch_translator.py`, `causal_language.py` and `hugging_face.py` may import torch: a
    process that serves others never loads it.
    """

    name: ClassVar[str]

    @abstractmethod
    def run(self, batch: Batch) -> np.ndarray:
        """Return the outputs, float32, (rows, ...)."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the weights into `folder` in the runtime's own format, never pickle."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Runtime:
        """Read the weights from `folder`.

        Args:
            folder: The artifact's folder.
            options: What the manifest says under "runtime_options".
            threads: Threads one `run` may use.

        Raises:
            ArtifactError: The weights are torn or not of this runtime.
        """

    @property
    def has_contributions(self) -> bool:
        """Whether `contributions` can be asked for: whether its outputs are sums of what each feature gives."""
        return False

    def contributions(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return what the outputs are the sum of; only where `has_contributions`.

        Returns:
            The output of an average training row, float64, (labels,), and what each feature adds to it, float64,
            (rows, features, labels).
        """
        raise NotImplementedError(self.name)

    def options(self) -> dict[str, Any]:
        """Return what `load` needs besides the files, as plain JSON types."""
        return {}

    def close(self) -> None:
        """Let go of what outlives this object, e.g. a process; `run` is not called any more."""
        return


def find_runtime(name: str) -> type[Runtime]:
    """Import and return the runtime class of that name.

    Raises:
        UnknownNameError: There is none.
    """
    known = module_names("servery.models.runtimes")
    if name not in known:
        raise UnknownNameError.among("runtime", name, known)
    return import_module(f"servery.models.runtimes.{name}").RUNTIME  # type: ignore[no-any-return]
