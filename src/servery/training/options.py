"""What the trainer reads from a recipe's hyperparameters, checked before anything is spent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from servery.errors import DataError

CHOICES: Mapping[str, tuple[str, ...]] = {
    "optimizer": ("adamw", "adam", "sgd", "muon"),
    "schedule": ("cosine", "constant"),
    "precision": ("auto", "native", "float32", "bfloat16", "float16"),
}
BOUNDS: Mapping[str, tuple[float, float]] = {
    "learning_rate": (0.0, float("inf")),
    "weight_decay": (0.0, float("inf")),
    "momentum": (0.0, 1.0),
    "warmup_share": (0.0, 1.0),
    "batch_size": (1, float("inf")),
    "epochs": (1, float("inf")),
    "patience": (0, float("inf")),
    "gradient_clip": (0.0, float("inf")),
    "accumulation_steps": (1, float("inf")),
    "average_decay": (0.0, 1.0),
}


@dataclass(frozen=True)
class Options:
    """How to train.

    Attributes:
        optimizer: "adamw", "adam", "sgd", or "muon" (see `training.muon`).
        learning_rate: At the top of the schedule.
        weight_decay: Not applied to biases and norms.
        momentum: Of "sgd".
        schedule: "cosine" (to zero) or "constant", both after the warm-up.
        warmup_share: Share of the training in which the learning rate climbs from zero.
        batch_size: Rows the optimizer sees in one step.
        epochs: How often every row is seen.
        patience: Epochs without a better primary metric before it stops; 0 turns early stopping off.
        gradient_clip: Longest gradient allowed, as its L2 norm; 0 turns clipping off.
        accumulation_steps: Pieces a batch is cut into to save memory; the step stays the same up to rounding.
        average_decay: How much of the average of weights a step keeps; 0 turns the averaging off.
        precision: "auto" is half precision on a GPU and float32 on a CPU; "native" half precision on both, where the
            hardware has instructions for it.
    """

    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup_share: float = 0.05
    batch_size: int = 64
    epochs: int = 10
    patience: int = 0
    gradient_clip: float = 1.0
    accumulation_steps: int = 1
    average_decay: float = 0.0
    precision: str = "auto"

    @classmethod
    def read(cls, hyperparameters: Mapping[str, Any]) -> Options:
        """Pick the trainer's part; other keys are the recipe's own.

        Raises:
            DataError: A value is of the wrong type, out of bounds or no known choice.

        >>> Options.read({"epochs": 3, "hidden_size": 64}).epochs
        3
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        given = {name: value for name, value in hyperparameters.items() if name in known}
        return cls(**{name: _checked(name, value, known[name].default) for name, value in given.items()})


def _checked(name: str, value: Any, default: Any) -> Any:
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise _refused(name, value, " or ".join(repr(choice) for choice in CHOICES[name]))
        return value
    low, high = BOUNDS[name]
    wanted = "a whole number" if isinstance(default, int) else "a number"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or (isinstance(default, int) and value != int(value)):
        raise _refused(name, value, f"{wanted} from {low:g} to {high:g}")
    return type(default)(value)


def _refused(name: str, value: Any, wanted: str) -> DataError:
    return DataError(
        f"Hyperparameter {name} is {value!r}; it must be {wanted}.", param=f"/hyperparameters/{name}"
    )
