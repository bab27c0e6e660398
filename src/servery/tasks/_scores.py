"""Scores as tensors: what the tasks that answer with labels send to protocols of tensors."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError
from servery.tasks.task import Answer, Parameters


class ScoresOnly(Parameters, frozen=True):
    """Asks for the bare scores: no label is looked up, and nothing is ranked."""


class Scores(Answer, frozen=True):
    """The scores of one row, float32, (labels,), and the place of the label that is answered; -1 of several."""

    values: np.ndarray
    place: int = -1


def scores_only(parameters: Parameters) -> ScoresOnly:
    """Return what asks for the bare scores.

    Raises:
        InputError: Something else was asked too; as tensors the scores come whole and in order.
    """
    if parameters != type(parameters)():
        raise InputError(
            f"As tensors the scores come whole: {', '.join(msgspec.structs.asdict(parameters))} cannot be asked.",
            hint="leave the parameters out",
            param="/parameters",
        )
    return ScoresOnly()


def score_rows(scores: np.ndarray, places: np.ndarray | None = None) -> list[Answer]:
    """Return (rows, labels) as one answer a row, with the places of the labels that are answered, (rows,)."""
    answered = [-1] * len(scores) if places is None else places.tolist()
    return [Scores(*row) for row in zip(scores.astype(np.float32), answered, strict=True)]


def scores_of(answers: Sequence[Answer]) -> np.ndarray:
    """Return the answers of `score_rows` as (rows, labels)."""
    rows = [answer.values for answer in answers if isinstance(answer, Scores)]
    return rows[0][None] if len(rows) == 1 else np.stack(rows)


def places_of(answers: Sequence[Answer]) -> list[int]:
    """Return the places of the labels that are answered."""
    return [answer.place for answer in answers if isinstance(answer, Scores)]


def scores_column(labels: Sequence[str]) -> Column:
    """Return the column of the scores; its categories name them, in order."""
    return Column("scores", Kind.TENSOR, Role.TARGET, categories=tuple(labels), shape=(len(labels),))


def texts(values: Sequence[str]) -> np.ndarray:
    """Return texts as an array of objects, each the bytes of one."""
    return np.array([value.encode() for value in values], object)
