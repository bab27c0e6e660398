"""The beginning of a text as its summary: sentences or clauses in their order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servery.errors import ArtifactError
from servery.models.document import Document
from servery.models.extraction import Extractor, Spans

UNITS = ("sentences", "clauses")


class LeadingSentences(Extractor):
    """The earlier, the better; there is nothing to load.

    Args:
        unit: "sentences" or "clauses": what stands between any marks.
        count: How many make a summary.
    """

    name = "leading_sentences"

    def __init__(self, unit: str, count: int) -> None:
        super().__init__(count)
        if unit not in UNITS:
            raise ArtifactError(f"The unit is {unit!r}; expected one of {', '.join(UNITS)}.")
        self.unit = unit

    def spans(self, documents: Sequence[Document]) -> list[Spans]:
        """Return the pieces, each scored by its place."""
        return [self._of(document) for document in documents]

    def _of(self, document: Document) -> Spans:
        found = document.sentences if self.unit == "sentences" else document.clauses
        return Spans(found[:, 0], found[:, 1], 1.0 / (1.0 + np.arange(len(found))))

    def save(self, folder: Path) -> None:
        """Write nothing: the options say it all."""
        return

    def options(self) -> dict[str, Any]:
        """Return the unit and the number."""
        return {"unit": self.unit, "count": self.count}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> LeadingSentences:
        """Rebuild it from the options.

        Raises:
            ArtifactError: They are not ours.
        """
        try:
            return cls(str(options["unit"]), int(options["count"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The options in {folder.name} are not ours: {error!r}.") from error


RUNTIME = LeadingSentences
