"""Tasks whose answers grow piece by piece, e.g. a text token by token; a client may read along."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import numpy as np

from servery.errors import ServeryError
from servery.tasks.form import Example
from servery.tasks.task import Answer, Calibration, Parameters, Task


class Piece(msgspec.Struct, frozen=True):
    """What an answer grew by; a task adds its own."""


@dataclass(frozen=True, slots=True)
class GrowingHubQuestion:
    """What a Hub client asks of an answer that grows, and how it reads it.

    Attributes:
        parameters: What is asked.
        answer: Shapes a whole answer, from it and what was asked.
        event: Shapes a piece of a stream, from its number (from 0), the piece and, with the last one, the answer.
    """

    parameters: Parameters
    answer: Callable[[Answer, Example], Any]
    event: Callable[[int, Piece, Answer | None], Any]


class GrowingTask(Task):
    """A task whose models put out an answer in pieces; see `servery.models.growing` for how."""

    piece: ClassVar[type[Piece]]

    @abstractmethod
    def hub_asked(self, sent: Mapping[str, Any]) -> GrowingHubQuestion:
        """Read the parameters of a Hub client, in the Hub's names.

        Raises:
            InputError: One of them cannot be, or is none that this task has.
        """

    def decode(
        self, outputs: np.ndarray, labels: Sequence[str], calibration: Calibration, parameters: Parameters
    ) -> list[Answer]:
        """Refuse: an answer that grows is not decoded from one run's outputs.

        Raises:
            ServeryError: Always.
        """
        raise ServeryError(
            f"Answers of the task '{self.name}' grow; they are not decoded from outputs.",
            hint="Predictor.predict grows them",
        )
