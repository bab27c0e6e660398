"""Texts with two marked entities as weighted counts of their words, told apart by where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from servery.errors import ArtifactError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._words import words_of
from servery.models.encoders.marked_words import read_marked
from servery.models.encoders.terms import Terms

TEXT = "text"
BESIDE = 3
"""Words looked at before the first entity and after the second."""
HEAD, TAIL, BEFORE, BEHIND, TURNED = "1", "2", "3", "4", "21"
"""Stand around a word, so that it is another term than the same word elsewhere; words between stay as they are."""


class MarkedTerms(Encoder):
    """TF-IDF of the entities' words, the words and phrases between, and a few before and behind.

    Source: Rink and Harabagiu (2010), UTD: classifying semantic relations, section 2.1 (lexical features).

    Args:
        column: Name of the column with the marked texts.
        terms: The terms of the rewritten texts.
    """

    name = "marked_terms"

    def __init__(self, column: str, terms: Terms) -> None:
        self.column = column
        self.terms = terms

    @classmethod
    def fit(cls, examples: Sequence[Mapping[str, Any]], column: str, **settings: Any) -> MarkedTerms:
        """Learn which terms there are; `settings` as for `Terms.fit`."""
        rewritten = [{TEXT: rewrite(example, column)} for example in examples]
        return cls(column, Terms.fit(rewritten, [TEXT], **settings))

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the terms in compressed rows.

        Raises:
            InputError: A text lacks its marks.
        """
        return self.terms.encode([{TEXT: rewrite(example, self.column)} for example in examples], cut=cut)

    def state(self) -> dict[str, Any]:
        """Return the terms, as plain JSON types."""
        return {"column": self.column, "terms": self.terms.state()}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> MarkedTerms:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            return cls(str(state["column"]), Terms.restore(state["terms"]))
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"The state of the encoder 'marked_terms' is torn: {error!r}.") from error


def rewrite(example: Mapping[str, Any], column: str) -> str:
    """Return a marked text with its words told apart by region.

    >>> rewrite({"s": "So <e2>Bo</e2> was met by <e1>Ann</e1> today."}, "s")
    '3so3 21 2bo2 was met by 1ann1 4today4 4.4'
    """
    marked = read_marked(example, column)
    before, between, behind = (words_of(region) for region in marked.regions)
    head, tail = (words_of(marked.text[start:end]) for start, end in (marked.head, marked.tail))
    is_turned = marked.tail < marked.head
    first, second = [(head, HEAD), (tail, TAIL)][:: -1 if is_turned else 1]
    words = [
        *_around(before[-BESIDE:], BEFORE),
        *([TURNED] if is_turned else []),
        *_around(*first),
        *between,
        *_around(*second),
        *_around(behind[:BESIDE], BEHIND),
    ]
    return " ".join(words)


def _around(words: Sequence[str], mark: str) -> list[str]:
    return [f"{mark}{word}{mark}" for word in words]
