"""Networks in ONNX Runtime: quicker than torch for one row, and without torch in the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime

FILE = "model.onnx"
QUIET = 3


class Onnx(Runtime):
    """One session on the CPU.

    Args:
        model: The serialized ONNX model, all weights inside.
        threads: Threads one `run` may use.
    """

    name = "onnx"

    def __init__(self, model: bytes, threads: int) -> None:
        self._model = model
        self._session = session_of(model, threads)
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def run(self, batch: Batch) -> np.ndarray:
        """Return the outputs, float32, (rows, ...)."""
        outputs = self._session.run(None, {name: batch[name] for name in self._inputs})
        return np.asarray(outputs[0], np.float32)

    def save(self, folder: Path) -> None:
        """Write `model.onnx`."""
        (folder / FILE).write_bytes(self._model)

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Onnx:
        """Read `model.onnx`.

        Raises:
            ArtifactError: The file is missing or no ONNX model.
        """
        try:
            return cls((folder / FILE).read_bytes(), threads)
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise ArtifactError(f"The ONNX model in {folder.name} cannot be read: {error}.") from error


def session_of(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Return a session on the CPU that is a good neighbour to other models.

    Args:
        model: A serialized ONNX model.
        threads: Threads one run may use.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    # The arena keeps the memory of the largest batch ever seen; a server of many models cannot afford that.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # Waiting threads that spin take the cores from the other models.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


RUNTIME = Onnx
