"""Sentences ranked by a walk over the graph of their likeness: a sentence like many others says what the text says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from servery.errors import ArtifactError
from servery.models.document import Document
from servery.models.extraction import Extractor, Spans

MOST_SENTENCES = 1_000
"""Of one text; those after them are not ranked, as the graph grows with their square."""
MOST_ROUNDS = 100
TOLERANCE = 1e-8


class TextRank(Extractor):
    """PageRank over sentences; the weight of an edge is the number of words two share, made fair to long ones.

    Source: Mihalcea and Tarau (2004), TextRank: bringing order into texts, sections 2.2 and 4.1. Words that stand in
    more than `common_share` of a text's sentences say nothing about likeness; the paper filters by part of speech.

    Args:
        count: Sentences of a summary.
        damping: Chance that the walk goes on rather than starts anew.
        common_share: From 0 to 1.
    """

    name = "text_rank"

    def __init__(self, count: int, damping: float, common_share: float) -> None:
        super().__init__(count)
        self.damping, self.common_share = damping, common_share

    def spans(self, documents: Sequence[Document]) -> list[Spans]:
        """Return the sentences of each document, the most central of it with a score of 1."""
        return [self._of(document) for document in documents]

    def _of(self, document: Document) -> Spans:
        sentences = document.sentences[:MOST_SENTENCES]
        ranks = (
            self._ranks(_likeness(document, sentences, self.common_share)) if len(sentences) else np.zeros(0)
        )
        return Spans(sentences[:, 0], sentences[:, 1], ranks / max(ranks.max(initial=0.0), 1e-12))

    def _ranks(self, likeness: np.ndarray) -> np.ndarray:
        """Return how often a walk over the graph comes by each sentence, (sentences,), in sum 1."""
        count = len(likeness)
        leaving = likeness.sum(axis=1)
        # From a sentence like no other the walk goes anywhere.
        steps = np.where(leaving[:, None] > 0, likeness / np.maximum(leaving, 1e-12)[:, None], 1.0 / count)
        ranks = np.full(count, 1.0 / count)
        for _ in range(MOST_ROUNDS):
            new = (1 - self.damping) / count + self.damping * (ranks @ steps)
            if np.abs(new - ranks).sum() < TOLERANCE:
                break
            ranks = new
        return np.asarray(ranks)

    def save(self, folder: Path) -> None:
        """Write nothing: the options say it all."""
        return

    def options(self) -> dict[str, Any]:
        """Return the three numbers."""
        return {"count": self.count, "damping": self.damping, "common_share": self.common_share}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> TextRank:
        """Rebuild it from the options.

        Raises:
            ArtifactError: They are not ours.
        """
        try:
            return cls(int(options["count"]), float(options["damping"]), float(options["common_share"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The options in {folder.name} are not ours: {error!r}.") from error


def _likeness(document: Document, sentences: np.ndarray, common_share: float) -> np.ndarray:
    """Return the weights of the edges, float64, (sentences, sentences)."""
    count = len(sentences)
    words = [
        document.numbers[first : last + 1][document.is_word[first : last + 1]] for first, last in sentences
    ]
    rows = np.repeat(np.arange(count), [len(found) for found in words])
    _, columns = np.unique(np.concatenate(words), return_inverse=True)
    holds = sparse.csr_array((np.ones(len(rows)), (rows, columns.reshape(-1))))
    holds.sum_duplicates()
    holds.data[:] = 1.0
    frequent = np.asarray(holds.sum(axis=0)).reshape(-1) > max(common_share * count, 1.0)
    kept = holds @ sparse.diags_array((~frequent).astype(np.float64))
    shared = (kept @ holds.T).toarray()
    np.fill_diagonal(shared, 0.0)
    logs = np.log(np.array([len(found) for found in words], np.float64) + 1.0)
    return np.asarray(shared / (logs[:, None] + logs[None, :]))


RUNTIME = TextRank
