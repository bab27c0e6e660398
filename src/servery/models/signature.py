"""What a model takes and gives: the part of its manifest that requests are checked against."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from servery.data.columns import Column, Kind
from servery.models.envelope import Envelope
from servery.models.training_profile import TrainingProfile
from servery.models.wording import Wording


@dataclass(frozen=True)
class Limits:
    """Bounds of one request, checked before memory is spent."""

    max_inputs: int = 1024
    max_text_characters: int = 100_000
    max_image_pixels: int = 25_000_000
    max_image_bytes: int = 16 * 2**20
    max_audio_seconds: int = 600
    max_audio_bytes: int = 32 * 2**20
    max_tensor_values: int = 2**22


@dataclass(frozen=True)
class Signature:
    """The inputs, the labels and the bounds of one model.

    Attributes:
        task: Name of the task, e.g. "classification".
        field: Name of the field it was trained for.
        inputs: The columns it reads, in order.
        labels: What it can answer, in the order of its outputs; empty for tasks without labels.
        target: Name of the column it learned.
        limits: Bounds of one request.
        example: One request's input as plain JSON types.
        envelope: Which numbers occurred together in training; None where nobody looked.
        profile: What the training rows and the scores looked like; None where nobody looked.
        wording: What the texts of the training were like; None where nobody looked.
    """

    task: str
    field: str
    inputs: tuple[Column, ...]
    labels: tuple[str, ...] = ()
    target: str = ""
    limits: Limits = dataclasses.field(default_factory=Limits)
    example: Any = None
    envelope: Envelope | None = None
    profile: TrainingProfile | None = None
    wording: Wording | None = None

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds of the inputs."""
        return frozenset(c.kind for c in self.inputs)

    def to_dict(self) -> dict[str, Any]:
        """Return the signature as plain JSON types."""
        return {
            "task": self.task,
            "field": self.field,
            "inputs": [column.to_dict() for column in self.inputs],
            "labels": list(self.labels),
            "target": self.target,
            "limits": dataclasses.asdict(self.limits),
            "example": self.example,
            **({"envelope": self.envelope.to_dict()} if self.envelope else {}),
            **({"profile": self.profile.to_dict()} if self.profile else {}),
            **({"wording": self.wording.to_dict()} if self.wording else {}),
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Signature:
        """Rebuild a signature from `to_dict`."""
        return cls(
            task=value["task"],
            field=value["field"],
            inputs=tuple(Column.from_dict(column) for column in value["inputs"]),
            labels=tuple(value["labels"]),
            target=value["target"],
            limits=Limits(**value["limits"]),
            example=value["example"],
            envelope=Envelope.from_dict(value["envelope"]) if "envelope" in value else None,
            profile=TrainingProfile.from_dict(value["profile"]) if "profile" in value else None,
            wording=Wording.from_dict(value["wording"]) if "wording" in value else None,
        )
