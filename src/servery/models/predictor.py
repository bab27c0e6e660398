"""The one thing that is evaluated, explained, optimized, saved and served: encode, run, decode."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from servery.errors import ArtifactError, NonFiniteError
from servery.models.encoder import Batch, Encoder, find_encoder
from servery.models.growing import GrowingRuntime, Growth
from servery.models.runtime import Runtime, find_runtime
from servery.models.signature import Signature
from servery.tasks.task import Answer, Calibration, Parameters, Task, find_task


@dataclass(frozen=True)
class Predictor:
    """A trained model with everything needed to answer.

    Attributes:
        signature: What it takes and gives.
        encoder: Examples to arrays.
        runtime: Arrays to outputs.
        calibration: Outputs to scores.
        recipe: Name of the recipe that made it.
        runtime_reason: Why this runtime is the one that serves.
    """

    signature: Signature
    encoder: Encoder
    runtime: Runtime
    calibration: Calibration
    recipe: str
    runtime_reason: str = ""

    @property
    def task(self) -> Task:
        """The task it answers."""
        return find_task(self.signature.task).with_labels(self.signature.labels)

    def encode(self, examples: Sequence[Mapping[str, Any]]) -> Batch:
        """Turn examples into arrays.

        Raises:
            InputError: An example is too long for the model, or holds a value it cannot read.
        """
        return self.encoder.encode(examples)

    def run(self, batch: Batch) -> np.ndarray:
        """Compute the outputs.

        Raises:
            NonFiniteError: The weights or the batch led to NaN or infinity.
        """
        outputs = self.runtime.run(batch)
        if not finite_rows(outputs).all():
            raise NonFiniteError(f"The model '{self.recipe}' produced NaN or infinity.")
        return outputs

    def decode(
        self,
        outputs: np.ndarray,
        parameters: Parameters | None = None,
        examples: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Turn outputs into answers; complete where the examples are given, see `Task.completed`."""
        asked = parameters if parameters is not None else self.task.parameters()
        answers = self.task.decode(outputs, self.signature.labels, self.calibration, asked)
        return answers if examples is None else self.task.completed(answers, examples)

    def predict(
        self, examples: Sequence[Mapping[str, Any]], parameters: Parameters | None = None
    ) -> list[Answer]:
        """Answer these examples in one batch."""
        asked = parameters if parameters is not None else self.task.parameters()
        prepared = self.task.prepared([dict(example) for example in examples], asked)
        if isinstance(self.runtime, GrowingRuntime):
            answers = self.runtime.answers([self.encode([example]) for example in prepared], asked)
        else:
            answers = self.decode(self.run(self.encode(prepared)), asked, prepared)
        return self.task.gathered(answers, asked)

    def begin(self, example: Mapping[str, Any], parameters: Parameters) -> Growth:
        """Return an answer that is about to grow; of models whose answers do.

        Raises:
            InputError: The example is too long for the model, or holds a value it cannot read.
        """
        assert isinstance(self.runtime, GrowingRuntime)
        return self.runtime.begin(self.encode([example]), parameters)

    def answers(
        self, examples: Sequence[Mapping[str, Any]], parameters: Parameters | None = None
    ) -> list[Answer]:
        """Answer many examples, in batches of like sizes, in the order given; see `outputs`."""
        if isinstance(self.runtime, GrowingRuntime):
            return self.predict(examples, parameters)
        asked = parameters if parameters is not None else self.task.parameters()
        prepared = self.task.prepared([dict(example) for example in examples], asked)
        return self.task.gathered(self.decode(self.outputs(prepared), asked, prepared), asked)

    def outputs(self, examples: Sequence[Mapping[str, Any]], batch_size: int = 64) -> np.ndarray:
        """Compute the outputs of many examples, in batches of like sizes, in the order given.

        Made for data sets: an example over the model's length is cut to it, as in training, where a request
        with it would be refused.

        Returns:
            float32, (rows, ...); objects, (rows,), each a row's array or text, where rows have shapes of their own.
        """
        examples = self.task.repeatable([dict(example) for example in examples])
        order = np.argsort(self.encoder.sizes(examples), kind="stable")
        chunks = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        results = [self.run(self.encoder.encode([examples[i] for i in chunk], cut=True)) for chunk in chunks]
        joined = _joined(results)
        restored = np.empty_like(joined)
        restored[order] = joined
        return restored

    def calibrated(self, calibration: Calibration) -> Predictor:
        """Return the same model with another calibration."""
        return replace(self, calibration=calibration)

    def save(self, folder: Path) -> Path:
        """Write `predictor.json`, the encoder's state and the runtime's weights into an existing folder."""
        self.runtime.save(folder)
        self.encoder.save(folder)
        description = {
            "format": 1,
            "recipe": self.recipe,
            "signature": self.signature.to_dict(),
            "encoder": self.encoder.name,
            "encoder_state": self.encoder.state(),
            "runtime": self.runtime.name,
            "runtime_options": self.runtime.options(),
            "runtime_reason": self.runtime_reason,
            "calibration": asdict(self.calibration),
        }
        text = json.dumps(description, ensure_ascii=False, allow_nan=False)
        (folder / "predictor.json").write_text(text, encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: Path, threads: int = 1, runtime: Runtime | None = None) -> Predictor:
        """Read a predictor from a folder written by `save`.

        Args:
            folder: The artifact.
            threads: Threads one forward pass may use.
            runtime: Takes the place of the artifact's own, e.g. one in another process.

        Raises:
            ArtifactError: The description is torn or names something unknown.
        """
        try:
            value = json.loads((folder / "predictor.json").read_text(encoding="utf-8"))
            return cls(
                signature=Signature.from_dict(value["signature"]),
                encoder=find_encoder(value["encoder"]).load(folder, value["encoder_state"]),
                runtime=runtime
                or find_runtime(value["runtime"]).load(folder, value["runtime_options"], threads),
                calibration=Calibration.from_dict(value["calibration"]),
                recipe=value["recipe"],
                runtime_reason=value["runtime_reason"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"The predictor in {folder.name} cannot be read: {error!r}.") from error


def finite_rows(outputs: np.ndarray) -> np.ndarray:
    """Return which rows hold neither NaN nor infinity, bool, (rows,); a text always does.

    >>> finite_rows(np.array([[1.0, 2.0], [np.nan, 0.0]])).tolist()
    [True, False]
    """
    if outputs.dtype == object:
        return np.array([not _is_broken(row) for row in outputs], dtype=bool)
    if outputs.dtype.kind != "f":
        return np.ones(len(outputs), dtype=bool)
    return np.asarray(np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1))


def _is_broken(row: Any) -> bool:
    return isinstance(row, np.ndarray) and row.dtype.kind == "f" and not np.isfinite(row).all()


def _joined(results: Sequence[np.ndarray]) -> np.ndarray:
    """Join the outputs of batches; padded to different lengths they become rows with shapes of their own."""
    if len({(result.dtype == object, result.shape[1:]) for result in results}) == 1:
        return np.concatenate(results)
    rows = [row for result in results for row in result]
    joined = np.empty(len(rows), dtype=object)
    for place, row in enumerate(rows):
        joined[place] = row
    return joined
