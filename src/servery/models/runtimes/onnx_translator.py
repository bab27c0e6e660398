"""Networks that write, in ONNX Runtime: one model that reads, one that writes a token further."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime
from servery.models.runtimes.onnx import session_of
from servery.models.writing import write

BEGIN, STEP, PIECES = "begin.onnx", "step.onnx", "pieces.json"
READ, STATE, NEXT = "read_", "state_", "next_"
"""Begin the names of what was read, of what moves on, and of that after a step, among inputs and outputs."""


class OnnxTranslator(Runtime):
    """Two sessions on the CPU.

    Args:
        begin: The serialized model from `tokens` to what was read and the first state.
        step: The serialized model from `said`, what was read and the state to `chances`, `looks` and the next state.
        pieces: What each token stands for.
        max_tokens: Most tokens of one sentence.
        threads: Threads one `run` may use.
    """

    name = "onnx_translator"

    def __init__(
        self, begin: bytes, step: bytes, pieces: Sequence[str], max_tokens: int, threads: int
    ) -> None:
        self.pieces, self.max_tokens = list(pieces), max_tokens
        self._models = {BEGIN: begin, STEP: step}
        self.begin_session, self.step_session = (session_of(model, threads) for model in (begin, step))
        # A network that hands on what it reads has its input called like that output.
        self.begin_input = self.begin_session.get_inputs()[0].name
        self.step_inputs = [entry.name for entry in self.step_session.get_inputs()]
        self.begin_outputs, self.step_outputs = (
            [entry.name for entry in session.get_outputs()]
            for session in (self.begin_session, self.step_session)
        )

    def run(self, batch: Batch) -> np.ndarray:
        """Return what was written for each text, objects, (rows,)."""
        return write(self, batch, self.pieces, self.max_tokens)

    def begin(self, tokens: np.ndarray, copies: int) -> OnnxSteps:
        """Return steps over each sentence so many times, side by side."""
        outputs = self.begin_session.run(self.begin_outputs, {self.begin_input: tokens})
        arrays = dict(zip(self.begin_outputs, outputs, strict=True))
        return OnnxSteps(self, {name: np.repeat(array, copies, axis=0) for name, array in arrays.items()})

    def save(self, folder: Path) -> None:
        """Write both models and the pieces."""
        for name, model in self._models.items():
            (folder / name).write_bytes(model)
        (folder / PIECES).write_text(json.dumps(self.pieces, ensure_ascii=False), encoding="utf-8")

    def options(self) -> dict[str, Any]:
        """Return the longest sentence."""
        return {"max_tokens": self.max_tokens}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> OnnxTranslator:
        """Read both models and the pieces.

        Raises:
            ArtifactError: A file is missing or torn.
        """
        try:
            models = [(folder / name).read_bytes() for name in (BEGIN, STEP)]
            pieces = [str(piece) for piece in json.loads((folder / PIECES).read_text(encoding="utf-8"))]
            return cls(models[0], models[1], pieces, int(options["max_tokens"]), threads)
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            raise ArtifactError(f"The ONNX models in {folder.name} cannot be read: {error}.") from error


class OnnxSteps:
    """Rows that are being written by two models in ONNX Runtime."""

    def __init__(self, translator: OnnxTranslator, arrays: dict[str, np.ndarray]) -> None:
        self.translator = translator
        self.read = {name: array for name, array in arrays.items() if name.startswith(READ)}
        self.state = {name: array for name, array in arrays.items() if name.startswith(STATE)}

    def step(self, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log-probabilities and looks."""
        names = self.translator.step_outputs
        given = {"said": said, **self.read, **self.state}
        inputs = {name: given[name] for name in self.translator.step_inputs}
        found = dict(zip(names, self.translator.step_session.run(names, inputs), strict=True))
        self.state = {name: found[NEXT + name.removeprefix(STATE)] for name in self.state}
        return found["chances"], found["looks"]

    def keep(self, rows: np.ndarray) -> None:
        """Go on with these rows."""
        if len(rows) != len(next(iter(self.state.values()))):
            self.read = {name: array[rows] for name, array in self.read.items()}
        self.state = {name: array[rows] for name, array in self.state.items()}


RUNTIME = OnnxTranslator
