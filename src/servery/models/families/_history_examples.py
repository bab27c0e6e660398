"""Histories cut at each day that a user came, with what they took next: what networks that recommend learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.models.families._recommendation import EventLog, judged, predictor_of, recommender
from servery.models.recipe import Work
from servery.nn.networks.history_recommender import PADDING, HistoryRecommender

WATCHED_ROWS = 600
"""Validation rows that an epoch is judged by."""


class HistoryExamples:
    """A user's history up to a day, and all that they took on it and in the next days.

    Args:
        log: Of the training rows.
        length: Latest events that are read.
        days: How far the next events reach.
        negatives: Whether as many items that were not taken are marked, for losses that compare pairs.
    """

    def __init__(self, log: EventLog, length: int, days: float, negatives: bool) -> None:
        self.log, self.length, self.negatives = log, length, negatives
        bounds = np.searchsorted(log.users, np.arange(log.user_count + 1))
        cuts = []
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            dates = np.floor(log.days[start:end])
            firsts = start + np.flatnonzero(np.append(False, np.diff(dates) > 0))
            # Events without times are cut in the middle, so that such sessions teach something too.
            firsts = firsts if len(firsts) or end - start < 2 else np.array([(start + end) // 2])
            ends = start + np.searchsorted(log.days[start:end], log.days[firsts] + days)
            cuts += [(start, first, max(last, first + 1)) for first, last in zip(firsts, ends, strict=True)]
        self._cuts = np.array(cuts, np.int64).reshape(-1, 3)

    def __len__(self) -> int:
        return len(self._cuts)

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Return the rows of every batch of one epoch, shuffled."""
        rows = np.random.default_rng([seed, epoch]).permutation(len(self))
        return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return the histories, and float32, (rows, items): 1 for what came next, -1 for what it is held against."""
        chance = np.random.default_rng([seed, epoch, step])
        numbers = self.log.numbers
        histories = np.full((len(rows), self.length), PADDING, np.int64)
        marks = np.zeros((len(rows), len(self.log.items)), np.float32)
        for place, (start, first, last) in enumerate(self._cuts[rows].tolist()):
            latest = numbers[max(start, first - self.length) : first]
            histories[place, self.length - len(latest) :] = latest
            marks[place, numbers[first:last]] = 1.0
            if self.negatives:
                free = np.flatnonzero(marks[place] == 0)
                count = min(len(free), int(marks[place].sum()))
                marks[place, chance.choice(free, count, replace=False)] = -1.0
        return {"items": torch.from_numpy(histories)}, torch.from_numpy(marks)


class HistoryObjective:
    """Cross entropy of what was taken next among all items, or of each against one that was not (BPR).

    Source: Rendle et al. (2009), BPR: Bayesian personalized ranking from implicit feedback, section 4.

    Args:
        work: Its validation part is watched.
        recipe: Name of the recipe.
        log: Of the training rows.
        settings: Gives `loss`, "softmax" or "pairs".
    """

    def __init__(self, work: Work, recipe: str, log: EventLog, settings: Mapping[str, Any]) -> None:
        self.primary_metric = work.task.primary_metric
        self._work, self._recipe, self._log, self._settings = work, recipe, log, settings

    def loss(self, network: HistoryRecommender, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the mean loss of a history, a scalar."""
        scores = network(**inputs).float()  # (rows, items)
        is_taken = (targets > 0).float()
        if self._settings["loss"] == "pairs":
            return self._pairs(scores, targets)
        shares = is_taken / is_taken.sum(dim=1, keepdim=True)
        return -(functional.log_softmax(scores, dim=1) * shares).sum(dim=1).mean()

    def _pairs(self, scores: Tensor, targets: Tensor) -> Tensor:
        taken, others = (targets > 0).nonzero(), (targets < 0).nonzero()
        count = min(len(taken), len(others))
        # Both lists go through the rows in order, with as many entries in each row.
        better, worse = scores[tuple(taken[:count].T)], scores[tuple(others[:count].T)]
        return -functional.logsigmoid(better - worse).mean()

    def validate(self, network: HistoryRecommender) -> dict[str, float]:
        """Return the metrics of some of the validation part."""
        runtime = recommender(network.model, self._log, arrays_of(network), self._settings)
        predictor = predictor_of(self._work, self._recipe, self._log, runtime)
        return judged(self._work, predictor, WATCHED_ROWS)[0]


def arrays_of(network: HistoryRecommender) -> dict[str, np.ndarray]:
    """Return the network's weights as the runtime reads them."""
    return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in network.tensors().items()}
