"""Recurrent language models in numpy: a step of one text is a few small products, quicker than any library's call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.errors import ArtifactError
from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.stepping_language import SteppingLanguage

FILE = "weights.safetensors"

State = list[np.ndarray]
"""Of each layer (2, rows, hidden_size): what it puts out, and the LSTM's cells."""


class RecurrentLanguage(SteppingLanguage):
    """The network `recurrent_decoder` of LSTM cells, with a state a text.

    Source: Hochreiter and Schmidhuber (1997), Long short-term memory, in the form of torch's `nn.LSTM`.

    Args:
        weights: The network's `state_dict`.
        tokenizer: Tokens to text.
        end_tokens: Tokens with which the model itself ends a text.

    Raises:
        ArtifactError: The weights are not of such a network.
    """

    name = "recurrent_language"

    def __init__(
        self, weights: Mapping[str, np.ndarray], tokenizer: LanguageTokenizer, end_tokens: Collection[int]
    ) -> None:
        super().__init__(tokenizer, end_tokens)
        self._weights = dict(weights)
        try:
            self._embedding = weights["embedding.weight"]
            self._projection = weights["projection.weight"].T, weights["projection.bias"]
            self._bias = weights["bias"]
            count = sum(name.startswith("recurrent.weight_ih_l") for name in weights)
            self._layers = [_layer(weights, place) for place in range(count)]
        except KeyError as error:
            raise ArtifactError(f"The weights of the language model lack {error}.") from error

    def logits(self, tokens: np.ndarray) -> np.ndarray:
        """Return the logits of what follows each token, float32, (rows, length, vocabulary)."""
        vectors = self._embedding[tokens]  # (rows, length, embedding_size)
        state = self._fresh(len(tokens))
        for place, layer in enumerate(self._layers):
            vectors = _over_time(layer, vectors, state[place])
        return self._out(vectors)

    def read(self, state: Any, tokens: Sequence[int]) -> tuple[State, np.ndarray]:
        """Return the state after more tokens, and the logits of the next one."""
        new = self._fresh(1) if state is None else [layer.copy() for layer in state]
        vectors = self._embedding[np.array(tokens)][None]  # (1, tokens, embedding_size)
        for place, layer in enumerate(self._layers):
            vectors = _over_time(layer, vectors, new[place])
        return new, self._out(vectors[:, -1])[0]

    def _fresh(self, rows: int) -> State:
        return [np.zeros((2, rows, len(recurrent)), np.float32) for _, recurrent, _ in self._layers]

    def _out(self, states: np.ndarray) -> np.ndarray:
        weight, bias = self._projection
        return np.asarray((states @ weight + bias) @ self._embedding.T + self._bias)

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors`."""
        save_file({name: np.ascontiguousarray(w) for name, w in self._weights.items()}, folder / FILE)

    def options(self) -> dict[str, Any]:
        """Return the tokens that end a text."""
        return {"end_tokens": sorted(self.end_tokens)}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> RecurrentLanguage:
        """Read the weights, and the tokenizer beside them.

        Raises:
            ArtifactError: They are torn.
        """
        try:
            weights = load_file(folder / FILE)
            ends = [int(token) for token in options["end_tokens"]]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The language model in {folder.name} cannot be read: {error}.") from error
        return cls(weights, LanguageTokenizer.read(folder), ends)


def _layer(weights: Mapping[str, np.ndarray], place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what comes in and what is remembered to gates, (size, 4 * hidden_size), and their bias."""
    parts = [
        weights[f"recurrent.{kind}_l{place}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    return np.ascontiguousarray(parts[0].T), np.ascontiguousarray(parts[1].T), parts[2] + parts[3]


def _over_time(
    layer: tuple[np.ndarray, np.ndarray, np.ndarray], vectors: np.ndarray, state: np.ndarray
) -> np.ndarray:
    """Return a layer's states, (rows, length, hidden_size); `state`, (2, rows, hidden_size), becomes the last one."""
    incoming, recurrent, bias = layer
    gates = vectors @ incoming + bias  # (rows, length, 4 * hidden_size)
    found = np.empty((*vectors.shape[:2], len(recurrent)), np.float32)
    hidden, cells = state
    for place in range(vectors.shape[1]):
        into, forget, new, out = np.split(gates[:, place] + hidden @ recurrent, 4, axis=1)
        cells = _sigmoid(forget) * cells + _sigmoid(into) * np.tanh(new)
        hidden = found[:, place] = _sigmoid(out) * np.tanh(cells)
    state[0], state[1] = hidden, cells
    return found


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))  # written so that it cannot overflow


RUNTIME = RecurrentLanguage
