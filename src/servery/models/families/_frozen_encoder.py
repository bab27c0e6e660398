"""A logistic head on the vectors of a pretrained encoder, which stays as it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch

from servery.models.families._examples import TokenExamples
from servery.models.families._logistic_fit import LogisticFit, fit_logistic
from servery.models.recipe import Work
from servery.nn.networks.encoder_classifier import EncoderClassifier
from servery.nn.networks.encoder_relation import EncoderRelation

HeadedEncoder = EncoderClassifier | EncoderRelation
"""Networks whose `out` reads what their `vectors` gives."""

BATCH = 64
CANDIDATES = (3.0, 10.0, 30.0, 100.0)
"""Inverse penalties that are tried where the plan names none; vectors of length 1 want large ones."""


@dataclass(frozen=True)
class Head:
    """A fitted head, and how it was chosen."""

    fit: LogisticFit
    inverse_penalty: float


def vectors_of(
    network: HeadedEncoder, examples: TokenExamples, work: Work, rows: np.ndarray | None = None
) -> np.ndarray:
    """Return the vectors of texts, float32, (rows, size); computed once, in batches of like lengths.

    Args:
        network: Its encoder is used as it is.
        examples: The texts.
        work: Hears how far it is.
        rows: Which of them; None for all.
    """
    chosen = np.arange(len(examples)) if rows is None else rows
    order = np.argsort(examples.lengths[chosen], kind="stable")
    found = np.empty((len(chosen), network.out.in_features), np.float32)
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            found[places] = network.vectors(**examples.inputs(chosen[places])).numpy()
            work.progress.update("Vectors", min(start + BATCH, len(order)), len(order))
    return found


def fit_head(
    work: Work,
    train: np.ndarray,
    targets: np.ndarray,
    validation: np.ndarray,
    wanted: np.ndarray,
    labels: int,
) -> Head:
    """Fit a head for each inverse penalty worth trying, and keep the one that is best on validation.

    Args:
        work: Its `inverse_penalty` of 0 tries `CANDIDATES`.
        train: Vectors, float32, (rows, size).
        targets: Of the training rows.
        validation: Vectors to choose by, float32, (rows, size).
        wanted: Targets of the validation rows.
        labels: Number of labels.
    """
    asked = work.hyperparameters["inverse_penalty"]
    best: tuple[float, Head] | None = None
    for inverse_penalty in (asked,) if asked else CANDIDATES:
        settings = {**work.hyperparameters, "inverse_penalty": inverse_penalty, "naive_bayes": False}
        fitted = fit_logistic(train, targets, labels, replace(work, hyperparameters=settings))
        score = _score(work, validation @ fitted.weight + fitted.bias, wanted)
        if best is None or score > best[0]:
            best = score, Head(fitted, inverse_penalty)
    assert best is not None
    work.progress.say("Head", f"inverse_penalty {best[1].inverse_penalty:g}, {best[0]:.3f} on validation")
    return best[1]


def _score(work: Work, outputs: np.ndarray, wanted: np.ndarray) -> float:
    return work.task.primary(wanted, outputs, work.task.calibrate(wanted, outputs))


def put_head(network: HeadedEncoder, head: Head) -> None:
    """Write a head into the network's last layer."""
    layer = cast(Any, network.out)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(head.fit.weight.T)))
        layer.bias.copy_(torch.from_numpy(head.fit.bias))
