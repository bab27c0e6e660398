"""What a model that writes puts out for one input: texts with their chances, and where it looked; a row as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np

HOW = "how to write"
"""What an example carries besides its texts: a mapping of what is asked of the writer, by the names of WISHES."""
WISHES: Mapping[str, float] = {
    "beam_size": 5,
    "length_penalty": 1.0,
    "alternatives": 0,
    "attention": 0,
    "most_tokens": 0,
}
"""What can be asked of a writer, and what it does unasked; `most_tokens` of 0 leaves the length to the model."""


class Candidate(msgspec.Struct, frozen=True):
    """One text, and the mean chance of its tokens, from 0 to 1."""

    text: str
    score: float


class Attention(msgspec.Struct, frozen=True):
    """Where a model looked: a row of weights for each piece that it wrote, one weight for each piece that it read."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]


class Passage(msgspec.Struct, frozen=True):
    """A piece of what was read: its text, where it stands in characters, the end excluded, and how good it is."""

    text: str
    start: int
    end: int
    score: float


class Written(msgspec.Struct, frozen=True):
    """Everything a writer puts out for one input.

    Attributes:
        candidates: From the best down, at least one.
        characters: Of what was read.
        unknown: Characters of it that the model never learned.
        is_foreign: Whether it is not like the texts learned from.
        is_whole: Whether the best text came to its end within the room there is.
        attention: Where the model looked for the best text, a part for each sentence; empty unless asked for.
        passages: Of a model that chooses from the text: what it may choose, the best first; pieces may overlap.
        count: How many of them, those best that do not overlap, make the summary.
        is_cut: Whether only the beginning of the text was read.
    """

    candidates: tuple[Candidate, ...]
    characters: int = 0
    unknown: int = 0
    is_foreign: bool = False
    is_whole: bool = True
    attention: tuple[Attention, ...] = ()
    passages: tuple[Passage, ...] = ()
    count: int = 0
    is_cut: bool = False


def outputs_of(rows: Sequence[Written]) -> np.ndarray:
    """Return rows as outputs of a runtime: objects, (rows,), each a text."""
    outputs = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        outputs[place] = msgspec.json.encode(row).decode()
    return outputs


@lru_cache(4096)
def written_of(output: str) -> Written:
    """Return what a row of outputs says."""
    return msgspec.json.decode(output, type=Written)


def texts_of(outputs: np.ndarray) -> list[str]:
    """Return the best text of each row."""
    return [written_of(output).candidates[0].text for output in outputs]


def warnings_of(written: Written) -> dict[str, str]:
    """Return what to know about an answer, by its code."""
    warnings = {}
    if not written.characters:
        warnings["empty_text"] = "The text is empty, and so is the answer."
    if written.unknown:
        warnings["unknown_characters"] = (
            f"{written.unknown:,} of the text's {written.characters:,} characters were never learned."
        )
    if written.is_foreign:
        warnings["unlike_the_training"] = (
            "The text is not like those the model learned from; is it in the right language?"
        )
    if written.is_cut:
        warnings["beginning_only"] = "The text is longer than the model reads; only its beginning was read."
    if not written.is_whole:
        warnings["unfinished"] = "The answer did not come to its end within the length there is room for."
    return warnings
