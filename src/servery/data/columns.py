"""What a column holds (its kind) and what it is for (its role)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What the values of a column are. The modality of a model lives here, not in its task."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    NUMBER = "number"
    CATEGORY = "category"
    LABELS = "labels"
    TIME = "time"
    IDENTIFIER = "identifier"
    TENSOR = "tensor"
    TEXTS = "texts"
    """Several texts, each as right as the others; as a list of them."""
    SPANS = "spans"
    """Pieces of a text with labels: a list of {"start", "end", "label"}, in characters, the end excluded."""
    BOXES = "boxes"
    """Things in a picture: a list of {"label", "xmin", "ymin", "xmax", "ymax"} in pixels."""
    MARKED_TEXT = "marked_text"
    """A text in which two pieces are marked: <e1>head</e1> and <e2>tail</e2>."""
    BRIEF = "brief"
    """What is wanted of a design: objectives, limits and fixed dimensions."""
    SCENE = "scene"
    """Where agents were at equal steps of time, as the JSON of `data.scenes`."""
    TRACKS = "tracks"
    """Where each agent of a scene goes: a list of lists of [x, y], null for an agent that is not followed."""
    COMMAND = "command"
    """What a command means: {"intent": ..., "slots": {name: text or number}}."""
    SERIES = "series"
    """Readings one after the other at equal distances, null where one is missing; packed by `data.series`."""
    EVENTS = "events"
    """What one user did, in the order of time: a tuple of `data.events.Event`."""


STRUCTURES = frozenset({Kind.TEXTS, Kind.SPANS, Kind.BOXES, Kind.TRACKS, Kind.COMMAND})
"""Kinds whose values are JSON lists or objects; their tasks say what stands in them."""
ONE_OF_MANY = frozenset({Kind.IMAGE, Kind.EVENTS})
"""Kinds of targets of which one input rightly has several (pictures of a prompt; a user at a later moment who did
nothing since): only rows whose targets are the same too are copies."""


class Role(StrEnum):
    """What a column is used for."""

    INPUT = "input"
    TARGET = "target"
    GROUP = "group"
    TIME = "time"
    PART = "part"
    PROTECTED = "protected"
    """No model may learn from it; the report judges by its values."""
    IGNORED = "ignored"


TENSOR_DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
"""What a tensor may hold, by numpy's names."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, kind and role, and why they were chosen.

    Attributes:
        name: As it stands in the file.
        kind: What the values are.
        role: What they are used for.
        reason: One clause for the user, e.g. "3 distinct values in 2,000 rows".
        categories: Of a category column: its known values, sorted; empty otherwise.
        shape: Of a tensor column: the shape of one row's array, -1 for an axis of any length; () is one number.
        dtype: Of a tensor column: numpy's name of what the array holds.
        low: Of a number column of a model: the smallest value it learned from; None where nobody looked.
        high: The largest.

    Raises:
        ValueError: The shape or the dtype can be no tensor's.
    """

    name: str
    kind: Kind
    role: Role
    reason: str = ""
    categories: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.dtype not in TENSOR_DTYPES or any(size < 1 and size != -1 for size in self.shape):
            raise ValueError(f"a tensor of {self.dtype!r} with the shape {self.shape}")

    def to_dict(self) -> dict[str, Any]:
        """Return the column as plain JSON types; shape and dtype only of a tensor, bounds where they are known."""
        value: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind.value,
            "role": self.role.value,
            "reason": self.reason,
            "categories": list(self.categories),
        }
        if self.kind is Kind.TENSOR:
            value |= {"shape": list(self.shape), "dtype": self.dtype}
        if self.low is not None:
            value |= {"low": self.low, "high": self.high}
        return value

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Column:
        """Rebuild a column from `to_dict`."""
        return cls(
            value["name"],
            Kind(value["kind"]),
            Role(value["role"]),
            value.get("reason", ""),
            tuple(value.get("categories", ())),
            tuple(value.get("shape", ())),
            value.get("dtype", "float32"),
            value.get("low"),
            value.get("high"),
        )
