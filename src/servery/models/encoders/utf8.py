"""Texts as their bytes, for libraries that read texts by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.errors import ArtifactError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import text_of


class Utf8(Encoder):
    """The beginning of each text in UTF-8.

    Args:
        columns: Names of the text columns.
        max_characters: Most characters that are read of a text; what follows is left out, which is not told.
    """

    name = "utf8"

    def __init__(self, columns: Sequence[str], max_characters: int = 2_000) -> None:
        self.columns = tuple(columns)
        self.max_characters = max_characters

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `bytes`, uint8, (rows, length of the longest), padded with 0, and `lengths`, int64, (rows,)."""
        texts = [text_of(example, self.columns)[: self.max_characters].encode() for example in examples]
        lengths = np.array([len(text) for text in texts], np.int64)
        found = np.zeros((len(texts), max(int(lengths.max(initial=0)), 1)), np.uint8)
        for row, text in zip(found, texts, strict=True):
            row[: len(text)] = np.frombuffer(text, np.uint8)
        return {"bytes": found, "lengths": lengths}

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of characters of each example."""
        return [len(text_of(example, self.columns)) for example in examples]

    def state(self) -> dict[str, Any]:
        """Return the columns and the bound."""
        return {"columns": list(self.columns), "max_characters": self.max_characters}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Utf8:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            return cls([str(column) for column in state["columns"]], int(state["max_characters"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'utf8' is torn: {error!r}.") from error
