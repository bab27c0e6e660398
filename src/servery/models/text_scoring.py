"""What a language model makes of texts that are there already: the chance it gave to each token."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from servery.models.encoder import Batch

MOST_LOGITS = 2**24
"""Computed at once: 64 MB."""

Logits = Callable[[np.ndarray], np.ndarray]
"""Tokens, int64, (rows, length), to the logits of what follows each, float32, (rows, length, vocabulary)."""


def scored(batch: Batch, logits: Logits, vocabulary_size: int, context_tokens: int) -> np.ndarray:
    """Return what the tokens of texts cost, as the task text-generation reads it: objects, (rows,).

    A text longer than the context is read in windows that overlap by half: each token is foretold once, from at least
    half a context before it. Nothing foretells the first token of a text: it counts as one of all, equally likely.

    Args:
        batch: From the encoder `language`.
        logits: The model.
        vocabulary_size: Number of tokens.
        context_tokens: Most tokens that the model reads.

    Returns:
        Of each row, float32, (tokens, 2): the log of the token's chance, and how many characters come after it.
    """
    rows = np.empty(len(batch["tokens"]), object)
    for row, length in enumerate(batch["lengths"].tolist()):
        rows[row] = np.zeros((length, 2), np.float32)
        rows[row][:1, 0] = -np.log(vocabulary_size)
        rows[row][:, 1] = batch["left"][row, :length]
    windows = list(_windows(batch["lengths"], context_tokens))
    while windows:
        longest = max(end - start for _, start, end, _ in windows[:64])
        count = max(1, min(64, MOST_LOGITS // (longest * vocabulary_size)))
        chosen, windows = windows[:count], windows[count:]
        tokens = np.zeros((len(chosen), max(end - start for _, start, end, _ in chosen)), np.int64)
        for place, (row, start, end, _) in enumerate(chosen):
            tokens[place, : end - start] = batch["tokens"][row, start:end]
        found = chances_of_next(logits(tokens[:, :-1]), tokens[:, 1:])
        for place, (row, start, end, first) in enumerate(chosen):
            rows[row][first:end, 0] = found[place, first - start - 1 : end - start - 1]
    return rows


def chances_of_next(logits: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Return the natural logs of the chances of what followed, float32, (rows, length).

    Args:
        logits: float32, (rows, length, vocabulary).
        following: int64, (rows, length).
    """
    top = logits.max(axis=-1)
    totals = np.log(np.exp(logits - top[..., None]).sum(axis=-1))
    own = np.take_along_axis(logits, following[..., None], axis=-1)[..., 0]
    return np.asarray(own - top - totals, np.float32)


def _windows(lengths: np.ndarray, context_tokens: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield row, start and end of each window, and the first token that is foretold in it."""
    for row, length in enumerate(lengths.tolist()):
        first = 1
        while first < length:
            end = min(length, max(first + context_tokens // 2, context_tokens))
            yield row, max(0, end - context_tokens), end, first
            first = end
