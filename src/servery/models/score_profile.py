"""What a model's scores look like: one number a row, kept of held-out rows to compare later ones with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from servery.models.predictor import Predictor
from servery.models.training_profile import ColumnProfile
from servery.tasks.label_task import LabelTask

SCORE = "score"
MOST_ROWS = 5_000


def scores_to_compare(predictor: Predictor, outputs: np.ndarray) -> np.ndarray | None:
    """Return a number a row, float64, (rows,); None of a task whose outputs are no such thing.

    Of two labels it is the last one's score, of more the confidence in the best, of other tasks the first output.
    """
    task = predictor.task
    if isinstance(task, LabelTask):
        scores = task.scores(outputs, predictor.calibration)
        is_pair = scores.shape[1] == 2
        return scores[:, 1] if is_pair else task.confidence(scores, predictor.calibration)
    if outputs.ndim == 2 and outputs.dtype.kind == "f":
        return outputs[:, 0].astype(np.float64)
    return None


def with_score_profile(predictor: Predictor, held_out: Sequence[Mapping[str, Any]]) -> Predictor:
    """Return the predictor with what its scores look like on rows held out, where it keeps a profile at all."""
    signature = predictor.signature
    if signature.profile is None or not held_out:
        return predictor
    scores = scores_to_compare(predictor, predictor.outputs(held_out[:MOST_ROWS]))
    if scores is None:
        return predictor
    profile = replace(signature.profile, scores=ColumnProfile.of_numbers(SCORE, scores))
    return replace(predictor, signature=replace(signature, profile=profile))
