"""How well commands are understood: intents, slots with their values, and whole commands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from servery.metrics.calibration import ece


@dataclass(frozen=True)
class CommandCounts:
    """Counts of each command, so that any choice of rows is measured by sums.

    Attributes:
        is_intent_right: bool, (rows,).
        hits: Slots filled with the right value, int64, (rows,).
        filled: Slots that were filled, int64, (rows,).
        wanted: Slots that were to be filled, int64, (rows,).
        scores: Of the intents that were said, (rows,).
    """

    is_intent_right: np.ndarray
    hits: np.ndarray
    filled: np.ndarray
    wanted: np.ndarray
    scores: np.ndarray

    @property
    def is_right(self) -> np.ndarray:
        """Whether intent and all slots are right and none is too many, bool, (rows,)."""
        return np.asarray(self.is_intent_right & (self.hits == self.filled) & (self.hits == self.wanted))

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows (places, with repeats).

        Source: Goo et al. (2018), Slot-gated modeling for joint slot filling and intent prediction, section 3.2, for
        intent accuracy, slot F1 and the accuracy of whole frames; a slot counts by its name and value.
        """
        hits, filled, wanted = (int(counts[rows].sum()) for counts in (self.hits, self.filled, self.wanted))
        return {
            "frame_accuracy": float(self.is_right[rows].mean()),
            "intent_accuracy": float(self.is_intent_right[rows].mean()),
            "slot_f1": 2 * hits / (filled + wanted) if filled + wanted else 1.0,
            "slot_precision": hits / filled if filled else 1.0,
            "slot_recall": hits / wanted if wanted else 1.0,
            "ece": ece(self.is_intent_right[rows], self.scores[rows]),
        }

    def primary(self, rows: np.ndarray) -> float:
        """Return the share of commands that are right as a whole."""
        return float(self.is_right[rows].mean())
