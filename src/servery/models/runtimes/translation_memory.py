"""A memory of texts with their translations: it answers with that of the text most like the one asked about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy import sparse

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime
from servery.tasks.written import Candidate, Written, outputs_of

FILE, TEXTS = "memory.safetensors", "texts.json"
PARTS = ("indices", "values", "offsets")
FOREIGN = 0.15
"""Likeness below which the text asked about has next to nothing in common with any that is known."""
LARGEST_LIKENESS = 2.0
"""Product of two equal texts: their words and their pieces each make a vector of length 1."""


class TranslationMemory(Runtime):
    """The product of weighted terms with those of every text known; the largest one decides.

    Source: Nagao (1984), A framework of a mechanical translation between Japanese and English by analogy principle.

    Args:
        terms: The known texts in compressed rows: `indices`, `values`, `offsets`.
        width: Number of terms there are.
        texts: What to answer for each.
    """

    name = "translation_memory"

    def __init__(self, terms: Batch, width: int, texts: Sequence[str]) -> None:
        self.terms = {part: np.ascontiguousarray(terms[part]) for part in PARTS}
        self.width, self.texts = width, list(texts)
        self._known = _matrix(self.terms, width).T.tocsr()  # (terms, texts)
        if self._known.shape[1] != len(self.texts):
            raise ValueError(f"{self._known.shape[1]} texts known, {len(self.texts)} answers")

    def run(self, batch: Batch) -> np.ndarray:
        """Return the translations of the most alike texts, objects, (rows,): see `servery.tasks.written`."""
        likeness = (_matrix(batch, self.width) @ self._known).tocsr()  # (rows, texts)
        rows = []
        for row, (characters, more) in enumerate(
            zip(batch["characters"].tolist(), batch["alternatives"].tolist(), strict=True)
        ):
            span = slice(likeness.indptr[row], likeness.indptr[row + 1])
            rows.append(self._recall(likeness.indices[span], likeness.data[span], characters, 1 + more))
        return outputs_of(rows)

    def _recall(self, places: np.ndarray, likeness: np.ndarray, characters: int, most: int) -> Written:
        order: list[int] = np.lexsort((places, -likeness))[:most].tolist() if len(places) else []
        found = [
            Candidate(self.texts[places[best]], round(float(likeness[best]) / LARGEST_LIKENESS, 4))
            for best in order
        ]
        candidates = tuple(found) or (Candidate("", 0.0),)
        return Written(candidates, characters, is_foreign=bool(characters) and candidates[0].score < FOREIGN)

    def save(self, folder: Path) -> None:
        """Write `memory.safetensors` and `texts.json`."""
        save_file(self.terms, folder / FILE)
        (folder / TEXTS).write_text(json.dumps(self.texts, ensure_ascii=False), encoding="utf-8")

    def options(self) -> dict[str, Any]:
        """Return the number of terms."""
        return {"width": self.width}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> TranslationMemory:
        """Read the memory.

        Raises:
            ArtifactError: It is torn.
        """
        try:
            texts = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
            return cls(load_file(folder / FILE), int(options["width"]), [str(text) for text in texts])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The memory in {folder.name} cannot be read: {error}.") from error


def _matrix(terms: Batch, width: int) -> Any:
    parts = (terms["values"], terms["indices"], terms["offsets"])
    return sparse.csr_array(parts, shape=(len(terms["offsets"]) - 1, width))


RUNTIME = TranslationMemory
