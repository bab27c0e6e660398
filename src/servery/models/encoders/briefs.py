"""Briefs, checked against the dimensions and quantities of the models that are searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from servery.data.columns import Column
from servery.errors import ArtifactError, InputError
from servery.models.design_space import DesignSpace, checked
from servery.models.encoder import Batch, Encoder
from servery.models.envelope import Envelope
from servery.tasks.design_generation import (
    BRIEF,
    DEFAULT_COUNT,
    DEFAULT_EVALUATIONS,
    Brief,
)


class Briefs(Encoder):
    """A brief and how long to search for it, as JSON.

    Args:
        dimensions: What a design consists of.
        quantities: What is predicted of it.
        envelope: Which numbers of it go together.
    """

    name = "briefs"

    def __init__(
        self, dimensions: Sequence[Column], quantities: Sequence[str], envelope: Envelope | None = None
    ) -> None:
        self.dimensions = tuple(dimensions)
        self.quantities = tuple(quantities)
        self.envelope = envelope

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `briefs`, objects, (rows,), and `count`, `evaluations` and `seed`, int64, (rows,).

        Raises:
            InputError: A brief speaks of something unknown, or leaves no design.
        """
        briefs = np.empty(len(examples), object)
        for place, example in enumerate(examples):
            brief = example[BRIEF]
            if not isinstance(brief, Brief):
                raise InputError(f"Expected a brief, got {type(brief).__name__}.", param=f"/{BRIEF}")
            DesignSpace.of(self.dimensions, checked(brief, self.dimensions, self.quantities), self.envelope)
            briefs[place] = msgspec.json.encode(brief).decode()
        defaults = {"count": DEFAULT_COUNT, "evaluations": DEFAULT_EVALUATIONS, "seed": 0}
        asked = {
            name: np.array([int(example.get(name, default)) for example in examples], np.int64)
            for name, default in defaults.items()
        }
        return {"briefs": briefs, **asked}

    def state(self) -> dict[str, Any]:
        """Return dimensions and quantities."""
        return {
            "dimensions": [c.to_dict() for c in self.dimensions],
            "quantities": list(self.quantities),
            "envelope": self.envelope.to_dict() if self.envelope else None,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Briefs:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            return cls(
                [Column.from_dict(c) for c in state["dimensions"]], list(map(str, state["quantities"]))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'briefs' is torn: {error!r}.") from error
