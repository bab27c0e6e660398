"""Prompts and conversations as they are sent on to a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import text_of
from servery.models.encoders.language import MESSAGES, TOKENS


class RemotePrompts(Encoder):
    """A text, a conversation or tokens, each as JSON; nothing is cut into tokens here.

    Args:
        column: Name of the text column.
    """

    name = "remote_prompts"

    def __init__(self, column: str) -> None:
        self.column = column

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `prompts`, objects, (rows,), each {"messages": ...} or {"prompt": ...} as JSON.

        Raises:
            InputError: A prompt is empty, or no text.
        """
        prompts = np.empty(len(examples), object)
        for place, example in enumerate(examples):
            prompts[place] = msgspec.json.encode(self._prompt(example)).decode()
        return {"prompts": prompts}

    def _prompt(self, example: Mapping[str, Any]) -> dict[str, Any]:
        if MESSAGES in example:
            return {"messages": list(example[MESSAGES])}
        prompt = list(example[TOKENS]) if TOKENS in example else text_of(example, (self.column,))
        if not prompt:
            raise InputError("The prompt is empty.", hint="send at least one character")
        return {"prompt": prompt}

    def state(self) -> dict[str, Any]:
        """Return the column."""
        return {"column": self.column}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> RemotePrompts:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        if not isinstance(state.get("column"), str):
            raise ArtifactError("The state of the encoder 'remote_prompts' is torn: it names no column.")
        return cls(state["column"])
