"""Texts with two marked entities as words around them, with the distance of each word to both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.marked_text import MarkedText, parse_marked
from servery.errors import ArtifactError, InputError, TooLongError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders.tagged_words import TaggedWords, padded, words_in

FARTHEST = 30
"""Distances beyond are taken for this one."""
WITHIN = FARTHEST + 1
"""The number that stands for a word of the entity itself; 0 is padding."""
DISTANCES = 2 * FARTHEST + 2
"""Numbers that there are."""


class MarkedWords(Encoder):
    """The words of the entities, those between them, and some before and after.

    Source of distances: Zeng et al. (2014), Relation classification via convolutional deep neural network, section 3.4.

    Args:
        column: Name of the column with the marked texts.
        words: What is known of words.
        context: Words kept before the first entity and after the second.
        max_words: Most words of one text, those left out by `context` not counted.
    """

    name = "marked_words"

    def __init__(self, column: str, words: TaggedWords, context: int, max_words: int) -> None:
        self.column = column
        self.words = words
        self.context = context
        self.max_words = max_words

    @classmethod
    def fit(
        cls,
        examples: Sequence[Mapping[str, Any]],
        column: str,
        *,
        vocabulary_size: int,
        context: int,
        max_words: int,
    ) -> MarkedWords:
        """Learn which words there are.

        Args:
            examples: The training rows.
            column: Name of the column with the marked texts.
            vocabulary_size: Most words to learn.
            context: Words kept before the first entity and after the second.
            max_words: Most words of one text.
        """
        texts = [{column: read_marked(example, column).text} for example in examples]
        words = TaggedWords.fit(texts, [column], vocabulary_size=vocabulary_size, max_words=max_words)
        return cls(column, words, context, max_words)

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return what `TaggedWords` gives, and `head_distance` and `tail_distance`, int64, (rows, length).

        A distance is counted in words, `WITHIN` at the entity itself, less before it and more behind it.

        Raises:
            TooLongError: More than `max_words` words are to be read, and `cut` is false.
            InputError: A text lacks its marks.
        """
        return padded([self.row(example, cut) for example in examples])

    def row(self, example: Mapping[str, Any], cut: bool) -> Batch:
        """Return the arrays of one text, (words, ...)."""
        marked = read_marked(example, self.column)
        places = np.array(words_in(marked.text), np.int64).reshape(-1, 2)
        spans = [_words_of(span, places) for span in (marked.head, marked.tail)]
        first = max(min(start for start, _ in spans) - self.context, 0)
        last = min(max(end for _, end in spans) + self.context, len(places))
        if last - first > self.max_words:
            if not cut:
                raise TooLongError(
                    f"The entities stand {last - first:,} words apart; this model reads at most {self.max_words:,}.",
                    hint="ask about two entities that stand nearer to each other",
                    param=f"/{self.column}",
                )
            last = first + self.max_words
        begin, end = (int(places[first, 0]), int(places[last - 1, 1])) if last > first else (0, 0)
        # Entities of blanks alone leave nothing to read; a mark stands for them.
        row = self.words.row(marked.text[begin:end] or "?", cut=True)
        del row["places"]  # distances stand for them
        numbers = np.arange(len(row["words"])) + first
        return {
            **row,
            "head_distance": _distances(numbers, *spans[0]),
            "tail_distance": _distances(numbers, *spans[1]),
        }

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return about how many words of each example are read."""
        return [len(self.row(example, True)["words"]) for example in examples]

    def state(self) -> dict[str, Any]:
        """Return what is known, as plain JSON types."""
        return {
            "column": self.column,
            "words": self.words.state(),
            "context": self.context,
            "max_words": self.max_words,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> MarkedWords:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            words = TaggedWords.restore(state["words"])
            return cls(str(state["column"]), words, int(state["context"]), int(state["max_words"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'marked_words' is torn: {error!r}.") from error


def read_marked(example: Mapping[str, Any], column: str) -> MarkedText:
    """Return the marked text of one example; of a missing one two entities without a word between them.

    Raises:
        InputError: The value is no text, or lacks its marks.
    """
    value = example.get(column)
    if value is None:
        return MarkedText("? ?", (0, 1), (2, 3))
    if not isinstance(value, str):
        raise InputError(f"{column!r} is {type(value).__name__}; expected a marked text.", param=f"/{column}")
    try:
        return parse_marked(value)
    except InputError as error:
        error.param = f"/{column}"
        raise


def _words_of(span: tuple[int, int], places: np.ndarray) -> tuple[int, int]:
    """Return the first word that a piece of a text touches and the one after the last; of blanks the next word."""
    first = int(np.searchsorted(places[:, 1], span[0], side="right"))
    last = int(np.searchsorted(places[:, 0], span[1], side="left"))
    return first, max(last, first + 1)


def _distances(numbers: np.ndarray, start: int, end: int) -> np.ndarray:
    before, behind = np.minimum(numbers - start, 0), np.maximum(numbers - (end - 1), 0)
    return np.asarray(np.clip(before + behind, -FARTHEST, FARTHEST) + WITHIN)
