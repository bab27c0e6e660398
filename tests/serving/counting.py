"""A real, tiny growing model: it counts upwards from its prompt; it sleeps, fails and waits on order."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.models.encoder import Batch, Encoder
from servery.models.growing import GrowingRuntime, Growth
from servery.models.predictor import Predictor
from servery.models.signature import Signature
from servery.tasks.generated_text import TextGenerationAnswer, TextGenerationParameters, TextPiece
from servery.tasks.growing import Piece
from servery.tasks.task import Calibration, Parameters


class CountGrowth(Growth):
    def __init__(self, start: int, most: int) -> None:
        self.start, self.most, self.numbers, self.read = start, most, list[int](), 0

    @property
    def is_done(self) -> bool:
        return len(self.numbers) == self.most

    @property
    def prompt_units(self) -> int:
        return 1

    @property
    def read_units(self) -> int:
        return self.read

    @property
    def grown_units(self) -> int:
        return len(self.numbers)

    @property
    def most_grown_units(self) -> int:
        return self.most

    @property
    def most_bytes(self) -> int:
        return 10 * self.most

    @property
    def answer(self) -> TextGenerationAnswer:
        return TextGenerationAnswer(" ".join(map(str, self.numbers)), None, 1, len(self.numbers), 0)


class Counting(GrowingRuntime):
    """Starts at 13 fail in their third step, and take the whole step with them; starts at 14 fail alone."""

    name = "counting"

    def __init__(self) -> None:
        self.steps: list[list[int]] = []
        self.held: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.step_seconds = 0.0

    def run(self, batch: Batch) -> np.ndarray:
        return np.asarray(batch["start"], np.float32)

    def begin(self, batch: Batch, parameters: Parameters) -> CountGrowth:
        assert isinstance(parameters, TextGenerationParameters)
        return CountGrowth(int(batch["start"][0]), parameters.max_tokens or 5)

    def step(self, growths: Sequence[Growth]) -> list[Piece | Exception | None]:
        self.gate.wait(10)
        time.sleep(self.step_seconds)
        counts = [growth for growth in growths if isinstance(growth, CountGrowth)]
        self.steps.append([growth.start for growth in counts])
        if any(growth.start == 13 and len(growth.numbers) == 2 for growth in counts):
            raise RuntimeError("thirteen")
        self.held.update(map(id, counts))
        return [_grown(growth) for growth in counts]

    def end(self, growths: Sequence[Growth]) -> None:
        self.held.difference_update(map(id, growths))

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Counting:
        raise NotImplementedError


def _grown(growth: CountGrowth) -> Piece | Exception | None:
    if not growth.read:
        growth.read = 1
        return None
    if growth.start == 14:
        return ValueError("fourteen")
    growth.numbers.append(growth.start + len(growth.numbers))
    return TextPiece(f"{growth.numbers[-1]} ")


class Numbers(Encoder):
    name = "numbers"

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        return {"start": np.array([int(example["text"]) for example in examples])}

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Numbers:
        return cls()


def counting() -> tuple[Predictor, Counting]:
    signature = Signature("text-generation", "test", (Column("text", Kind.TEXT, Role.INPUT),), example="1")
    runtime = Counting()
    return Predictor(signature, Numbers(), runtime, Calibration(), "counting"), runtime
