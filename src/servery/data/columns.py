"""What a column holds (its kind) and what it is for (its role)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What the values of a column are. The modality of a model lives here, not in its task."""

    TEXT = "text"
    IMAGE = "image"
    NUMBER = "number"
    CATEGORY = "category"
    LABELS = "labels"
    TIME = "time"
    IDENTIFIER = "identifier"


class Role(StrEnum):
    """What a column is used for."""

    INPUT = "input"
    TARGET = "target"
    GROUP = "group"
    TIME = "time"
    PART = "part"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, kind and role, and why they were chosen.

    Attributes:
        name: As it stands in the file.
        kind: What the values are.
        role: What they are used for.
        reason: One clause for the user, e.g. "3 distinct values in 2,000 rows".
        categories: Of a category column: its known values, sorted; empty otherwise.
    """

    name: str
    kind: Kind
    role: Role
    reason: str = ""
    categories: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the column as plain JSON types."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "role": self.role.value,
            "reason": self.reason,
            "categories": list(self.categories),
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Column:
        """Rebuild a column from `to_dict`."""
        return cls(
            value["name"],
            Kind(value["kind"]),
            Role(value["role"]),
            value.get("reason", ""),
            tuple(value.get("categories", ())),
        )
