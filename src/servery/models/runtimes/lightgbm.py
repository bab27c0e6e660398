"""Boosted trees in LightGBM; several boosters trained on different rows are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime

LAYOUTS = ("binary", "multiclass", "labels", "numbers", "counts")


class LightGbm(Runtime):
    """Boosters whose raw scores are logits.

    Layouts:
        "binary": one score z a booster; the logits are -z/2 and z/2, whose softmax is the sigmoid of z.
        "multiclass": one score a label and booster.
        "labels": a booster for each label, one after the other.
        "numbers": the first group's score is the number, the second's the logarithm of how unsure it is.
        "counts": the same, but the first group's score too is a logarithm.

    Args:
        groups: Boosters; those of one group are averaged. One group, or one a label for "labels",
            one or two for "numbers" and "counts".
        layout: How scores become logits.
        threads: Threads one `run` may use.
    """

    name = "lightgbm"

    def __init__(self, groups: Sequence[Sequence[lightgbm.Booster]], layout: str, threads: int) -> None:
        self.groups = groups
        self.layout = layout
        self.threads = threads

    def run(self, batch: Batch) -> np.ndarray:
        """Return the logits, float32, (rows, labels)."""
        x = batch["x"]
        scores = [
            np.mean(
                [booster.predict(x, raw_score=True, num_threads=self.threads) for booster in group], axis=0
            )
            for group in self.groups
        ]
        if self.layout == "binary":
            half = scores[0] / 2
            return np.stack([-half, half], axis=1).astype(np.float32)
        if self.layout == "labels":
            return np.stack(scores, axis=1).astype(np.float32)
        if self.layout in ("numbers", "counts"):
            value = scores[0] if self.layout == "numbers" else np.exp(scores[0])
            return np.stack([value, *map(np.exp, scores[1:])], axis=1).astype(np.float32)
        return np.asarray(scores[0], np.float32)

    @property
    def has_contributions(self) -> bool:
        """Whether the outputs are logits."""
        return self.layout in ("binary", "multiclass", "labels")

    def contributions(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return the SHAP values of the trees, as LightGBM computes them, averaged over the boosters.

        Source: Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees,
        algorithm 2 (path-dependent Tree SHAP).
        """
        x = batch["x"]
        found = []
        for group in self.groups:
            parts = [booster.predict(x, pred_contrib=True, num_threads=self.threads) for booster in group]
            # One label after the other, each with its features and then its average.
            found.append(np.mean(parts, axis=0).reshape(len(x), -1, x.shape[1] + 1).transpose(0, 2, 1))
        if self.layout == "binary":
            found = [-found[0] / 2, found[0] / 2]
        values = np.concatenate(found, axis=2)  # (rows, features + 1, labels)
        return values[0, -1], values[:, :-1]

    def save(self, folder: Path) -> None:
        """Write one text file a booster."""
        for name, booster in self._files():
            (folder / name).write_text(booster.model_to_string(), encoding="utf-8")

    def options(self) -> dict[str, Any]:
        """Return the layout and how many boosters each group has."""
        return {"layout": self.layout, "groups": [len(group) for group in self.groups]}

    def _files(self) -> list[tuple[str, lightgbm.Booster]]:
        return [
            (_file(place, number), booster)
            for place, group in enumerate(self.groups)
            for number, booster in enumerate(group)
        ]

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> LightGbm:
        """Read the boosters.

        Raises:
            ArtifactError: A file is missing or torn, or the options are not ours.
        """
        try:
            if options["layout"] not in LAYOUTS:
                raise ValueError(f"layout {options['layout']!r}")
            groups = [
                [_booster(folder / _file(place, number)) for number in range(int(count))]
                for place, count in enumerate(options["groups"])
            ]
            return cls(groups, options["layout"], threads)
        except (OSError, ValueError, KeyError, TypeError, lightgbm.basic.LightGBMError) as error:
            raise ArtifactError(f"The boosters in {folder.name} cannot be read: {error}.") from error


def _file(group: int, number: int) -> str:
    return f"booster-{group}-{number}.txt"


def _booster(path: Path) -> lightgbm.Booster:
    return lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))


RUNTIME = LightGbm
