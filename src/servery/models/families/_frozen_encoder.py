"""A logistic head on the vectors of a pretrained encoder, which stays as it was."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch

from servery.models.families._examples import TokenExamples
from servery.models.families._logistic_fit import LogisticFit, fit_logistic
from servery.models.recipe import Work
from servery.nn.bfloat16 import has_bfloat16_instructions
from servery.nn.networks.encoder_classifier import EncoderClassifier
from servery.nn.networks.encoder_relation import EncoderRelation

HeadedEncoder = EncoderClassifier | EncoderRelation
"""Networks whose `out` reads what their `vectors` gives."""

BATCH = 64
CANDIDATES = (3.0, 10.0, 30.0)
"""Inverse penalties that are tried where the plan names none."""
SMALLEST_DEVIATION = 1e-6
"""Added to the deviations; a number that never changes must not be divided by 0."""


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
    with torch.inference_mode(), _forward(work):
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            found[places] = network.vectors(**examples.inputs(chosen[places])).float().numpy()
            work.progress.update("Vectors", min(start + BATCH, len(order)), len(order))
    return found


def _forward(work: Work) -> AbstractContextManager[object]:
    """Return the context of a pass through the encoder: a head is no better for more digits in its vectors."""
    if work.hyperparameters["precision"] == "native" and has_bfloat16_instructions():
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


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
    scale, asked = Scale.of(train), work.hyperparameters["inverse_penalty"]
    scaled = scale(train)

    def fitted(inverse_penalty: float) -> Head:
        settings = {**work.hyperparameters, "inverse_penalty": inverse_penalty, "naive_bayes": False}
        fit = fit_logistic(scaled, targets, labels, replace(work, hyperparameters=settings))
        return Head(scale.undone(fit), inverse_penalty)

    def score(head: Head) -> float:
        outputs = (validation @ head.fit.weight + head.fit.bias).astype(np.float32)
        return work.task.primary(wanted, outputs, work.task.calibrate(wanted, outputs))

    if asked:
        return fitted(asked)
    scored = [(score(head), head) for head in map(fitted, CANDIDATES)]
    best, head = max(scored, key=lambda pair: pair[0])
    work.progress.say("Head", f"inverse_penalty {head.inverse_penalty:g}: {best:.3f} on validation")
    return head


@dataclass(frozen=True)
class Scale:
    """Brings every number of the vectors to mean 0 and one deviation, so that one penalty suits all.

    Attributes:
        mean: float32, (size,).
        deviation: float32, (size,), times the root of the size: rows have length 1 on average.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Scale:
        """Measure vectors, (rows, size)."""
        deviation = (vectors.std(axis=0) + SMALLEST_DEVIATION) * np.sqrt(vectors.shape[1])
        return cls(vectors.mean(axis=0), deviation.astype(np.float32))

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Return the vectors scaled."""
        return np.asarray((vectors - self.mean) / self.deviation)

    def undone(self, fitted: LogisticFit) -> LogisticFit:
        """Return the same fit for vectors as they are."""
        weight = fitted.weight / self.deviation[:, None]
        return replace(fitted, weight=weight, bias=fitted.bias - self.mean @ weight)


def put_head(network: HeadedEncoder, head: Head) -> None:
    """Write a head into the network's last layer."""
    layer = cast(Any, network.out)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(head.fit.weight.T)))
        layer.bias.copy_(torch.from_numpy(head.fit.bias))
