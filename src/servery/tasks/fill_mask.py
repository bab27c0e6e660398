"""Fill-mask: which word stood where the mask is?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Kind
from servery.tasks.task import Answer, Calibration, Parameters, Task

MOST_CANDIDATES = 1000
"""The likeliest tokens, of which a caller sees as many as are asked for."""


class FillMaskParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        top_k: How many tokens to answer.
        targets: Answer these tokens only, as far as they are among the 1,000 likeliest.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1, le=MOST_CANDIDATES)] = 5
    targets: (
        Annotated[tuple[Annotated[str, msgspec.Meta(max_length=100)], ...], msgspec.Meta(max_length=100)]
        | None
    ) = None


class Filling(msgspec.Struct, frozen=True):
    """A token that may stand there: its number, what it reads as, its chance, and the whole text with it."""

    token: int
    token_str: str
    score: float
    sequence: str


class FillMaskAnswer(Answer, frozen=True):
    """The tokens, the likeliest first."""

    fillings: tuple[Filling, ...]


class FillMask(Task):
    """A word at a mask. `outputs` are objects, (rows,), each the JSON of up to 1,000 fillings, the likeliest first."""

    name = "fill-mask"
    title = {"en": "Fill-mask", "zh": "完形填空"}
    summary = "Which word stood where the mask is?"
    parameters = FillMaskParameters
    answer = FillMaskAnswer

    def decode(
        self, outputs: np.ndarray, labels: Sequence[str], calibration: Calibration, parameters: Parameters
    ) -> list[Answer]:
        """Return the likeliest fillings of each row."""
        asked = parameters if isinstance(parameters, FillMaskParameters) else FillMaskParameters()
        wanted = None if asked.targets is None else {target.strip() for target in asked.targets}
        answers: list[Answer] = []
        for output in outputs:
            found = msgspec.json.decode(output, type=list[Filling])
            kept = [one for one in found if wanted is None or one.token_str.strip() in wanted]
            answers.append(FillMaskAnswer(tuple(kept[: asked.top_k])))
        return answers

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "fill-mask"."""
        return "fill-mask"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of fillings of one text, and a list of such lists of several."""
        rows = [
            [msgspec.to_builtins(filling) for filling in answer.fillings]
            for answer in answers
            if isinstance(answer, FillMaskAnswer)
        ]
        return rows if is_batch else rows[0]


FILL_MASK = FillMask()
