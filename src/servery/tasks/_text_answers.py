"""What the tasks that answer a text with a text have in common: notices, tensors, what is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.tasks._scores import texts
from servery.tasks.task import Answer, LearnableTask


class TextAnswers(LearnableTask):
    """A task whose answers have `text`, `warnings` by their codes, and `characters`, those that were read."""

    unit = "characters"
    has_calibration = False

    def notices(self, answers: Sequence[Answer]) -> Mapping[str, str]:
        """Return what is odd about the texts."""
        return {code: message for a in self._own(answers) for code, message in a.warnings.items()}

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "text"."""
        return (Column("text", Kind.TEXT, Role.TARGET),)

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the texts, (rows,)."""
        return {"text": texts([a.text for a in self._own(answers)])}

    def most_units(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Return the characters of the texts."""
        lengths = [len(text) for e in examples for text in e.values() if isinstance(text, str)]
        return sum(lengths) + len(examples)

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Return the characters that were read."""
        return sum(a.characters for a in self._own(answers))

    def _own(self, answers: Sequence[Answer]) -> list[Any]:
        return [answer for answer in answers if isinstance(answer, self.answer)]
