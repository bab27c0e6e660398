"""N-gram language models: how often tokens followed each other, longer runs before shorter ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.stepping_language import SteppingLanguage

FILE = "counts.safetensors"
ABSENT = -1
"""Stands for what is before the beginning of a text."""


class NgramLanguage(SteppingLanguage):
    """Counts of runs of tokens, mixed by how many different tokens follow the longer run.

    Source: Witten and Bell (1991), The zero-frequency problem, section III (method C), interpolated as in Chen and
    Goodman (1999), An empirical study of smoothing techniques for language modeling, section 2.4.

    Args:
        counts: From `count`.
        tokenizer: Tokens to text.
        end_tokens: Tokens with which the model itself ends a text.
    """

    name = "ngram_language"

    def __init__(
        self, counts: Mapping[str, np.ndarray], tokenizer: LanguageTokenizer, end_tokens: Collection[int]
    ) -> None:
        super().__init__(tokenizer, end_tokens)
        self._counts = dict(counts)
        self.order = sum(name.startswith("runs.") for name in counts)

    def run(self, batch: Batch) -> np.ndarray:
        """Return the log of each token's chance: objects, (rows,), each float32, (tokens, 2)."""
        rows = np.empty(len(batch["tokens"]), object)
        for row, length in enumerate(batch["lengths"].tolist()):
            tokens = batch["tokens"][row, :length]
            logs = np.log(self.chances(_histories(tokens, self.order - 1), tokens))
            rows[row] = np.stack([logs, batch["left"][row, :length]], axis=1).astype(np.float32)
        return rows

    def logits(self, tokens: np.ndarray) -> np.ndarray:
        """Return the log chances of what follows each token, float32, (rows, length, vocabulary)."""
        found = [
            [self.read(None, row[: place + 1])[1] for place in range(len(row))] for row in tokens.tolist()
        ]
        return np.array(found, np.float32)

    def read(self, state: Any, tokens: Sequence[int]) -> tuple[list[int], np.ndarray]:
        """Return the last tokens, and the log chances of the next one."""
        last = [*(state or [ABSENT] * (self.order - 1)), *tokens][len(tokens) :]
        size = self.tokenizer.size
        chances = self.chances(np.tile(np.array(last, np.int64), (size, 1)), np.arange(size))
        return last, np.log(chances).astype(np.float32)

    def chances(self, histories: np.ndarray, following: np.ndarray) -> np.ndarray:
        """Return how likely tokens follow what is before them, float64, (places,).

        Args:
            histories: The last order - 1 tokens of each place, int64, (places, order - 1).
            following: int64, (places,).
        """
        size = self.tokenizer.size
        found = np.full(len(following), 1.0 / size)
        for length in range(self.order):
            before = histories[:, histories.shape[1] - length :]
            runs = _codes(before, size)
            seen, kinds = (self._looked_up(f"{what}.{length}", "befores", length, runs) for what in _BEFORES)
            count = self._looked_up(f"counts.{length}", "runs", length, runs * size + following)
            is_known = (seen > 0) & (before != ABSENT).all(axis=1)
            mixed = (count + kinds * found) / np.maximum(seen + kinds, 1)
            found = np.where(is_known, mixed, found)
        return found

    def _looked_up(self, values: str, keys: str, length: int, codes: np.ndarray) -> np.ndarray:
        known = self._counts[f"{keys}.{length}"]
        places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return np.where(known[places] == codes, self._counts[values][places], 0).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write `counts.safetensors`."""
        save_file(self._counts, folder / FILE)

    def options(self) -> dict[str, Any]:
        """Return the tokens that end a text."""
        return {"end_tokens": sorted(self.end_tokens)}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> NgramLanguage:
        """Read the counts, and the tokenizer beside them.

        Raises:
            ArtifactError: They are torn.
        """
        try:
            counts = load_file(folder / FILE)
            ends = [int(token) for token in options["end_tokens"]]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The language model in {folder.name} cannot be read: {error}.") from error
        return cls(counts, LanguageTokenizer.read(folder), ends)


_BEFORES = ("totals", "kinds")


def count(tokens: np.ndarray, order: int, vocabulary_size: int) -> dict[str, np.ndarray]:
    """Return how often runs of tokens occur, by their lengths.

    Of what stands before the last token, of every length from 0 on: `befores` (codes, sorted), `totals` (how often
    it occurs) and `kinds` (different tokens behind it); of whole runs `runs` (codes) and `counts`.

    Args:
        tokens: A text, int64, (tokens,).
        order: Tokens of the longest run.
        vocabulary_size: Number of tokens.
    """
    found: dict[str, np.ndarray] = {}
    for length in range(order):
        windows = np.lib.stride_tricks.sliding_window_view(tokens, length + 1)
        codes = _codes(windows, vocabulary_size)
        runs, counts = np.unique(codes, return_counts=True)
        befores, first = np.unique(runs // vocabulary_size, return_index=True)
        found |= {
            f"runs.{length}": runs,
            f"counts.{length}": counts,
            f"befores.{length}": befores,
            f"totals.{length}": np.add.reduceat(counts, first),
            f"kinds.{length}": np.diff([*first, len(runs)]),
        }
    return {name: np.ascontiguousarray(array, np.int64) for name, array in found.items()}


def _codes(runs: np.ndarray, size: int) -> np.ndarray:
    """Return runs of tokens as one number each, (places,)."""
    codes = np.zeros(len(runs), np.int64)
    for place in range(runs.shape[1]):
        codes = codes * size + runs[:, place]
    return codes


def _histories(tokens: np.ndarray, length: int) -> np.ndarray:
    """Return the tokens before each one, (tokens, length)."""
    padded = np.concatenate([np.full(length, ABSENT, np.int64), tokens])
    return (
        np.lib.stride_tricks.sliding_window_view(padded, length)[: len(tokens)]
        if length
        else padded[:, None][:, :0]
    )


RUNTIME = NgramLanguage
