"""From pieces of texts with scores to summaries: what every runtime does that chooses from what it reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from servery.models.document import Document
from servery.models.encoder import Batch
from servery.models.runtime import Runtime
from servery.tasks.passages import best_apart, joined_passages
from servery.tasks.written import Candidate, Passage, Written, outputs_of

MOST_PASSAGES = 64
"""Pieces of one text that are kept beside the summary, to choose anew from when another length is asked for."""
MOST_OVERLAPPING = 16
"""Of them, those that may be of one sentence."""


@dataclass(frozen=True)
class Spans:
    """Pieces of a document that a summary may be made of.

    Attributes:
        firsts: First token of each, int64, (spans,).
        lasts: Last token of each, int64, (spans,).
        scores: From 0 to 1, the better, the larger, float64, (spans,).
    """

    firsts: np.ndarray
    lasts: np.ndarray
    scores: np.ndarray


class Extractor(Runtime):
    """Chooses from the text; a runtime says which pieces there are and how good they are.

    Args:
        count: Pieces of a summary where nobody asks for another number.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    @abstractmethod
    def spans(self, documents: Sequence[Document]) -> list[Spans]:
        """Return the pieces of each document with their scores."""

    def run(self, batch: Batch) -> np.ndarray:
        """Return the summaries, objects, (rows,): see `servery.tasks.written`.

        Args:
            batch: From the encoder `utf8`.
        """
        rows = zip(batch["bytes"], batch["lengths"].tolist(), strict=True)
        documents = [Document.of(bytes(row[:length]).decode(errors="ignore")) for row, length in rows]
        found = self.spans(documents)
        return outputs_of([written(*pair, self.count) for pair in zip(documents, found, strict=True)])


def written(document: Document, spans: Spans, count: int) -> Written:
    """Return a document's summary and what else it could be made of."""
    passages = tuple(
        Passage(
            document.piece(spans.firsts[place], spans.lasts[place]),
            int(document.begins[spans.firsts[place]]),
            int(document.ends[spans.lasts[place]]),
            round(float(spans.scores[place]), 4),
        )
        for place in _kept(document, spans)
    )
    chosen = best_apart(passages, count)
    score = float(np.mean([passage.score for passage in chosen])) if chosen else 0.0
    summary = Candidate(joined_passages(chosen), round(score, 4))
    return Written((summary,), characters=len(document.text.strip()), passages=passages, count=len(chosen))


def _kept(document: Document, spans: Spans) -> list[int]:
    """Return the places of the best pieces, the best first, and not too many of any one sentence."""
    kept: list[int] = []
    of_sentence: dict[int, int] = {}
    for place in np.argsort(-spans.scores, kind="stable").tolist():
        sentence = int(document.sentence[spans.firsts[place]])
        of_sentence[sentence] = of_sentence.get(sentence, 0) + 1
        if of_sentence[sentence] <= MOST_OVERLAPPING:
            kept.append(place)
        if len(kept) == MOST_PASSAGES:
            break
    return kept
