"""Runtimes that choose from the text: what they choose, and that torn files are refused."""

from pathlib import Path

import numpy as np
import pytest

from servery.errors import ArtifactError
from servery.models.document import Document
from servery.models.encoders.utf8 import Utf8
from servery.models.extraction import MOST_PASSAGES, Extractor
from servery.models.runtime import find_runtime
from servery.models.runtimes.leading_sentences import LeadingSentences
from servery.models.runtimes.text_rank import TextRank
from servery.tasks.written import Written, written_of

TEXT = "Cats sleep. Cats and dogs sleep all day. Dogs run, bark and eat. It rained."


def summary(runtime: Extractor, text: str) -> Written:
    return written_of(runtime.run(Utf8(["text"], 100_000).encode([{"text": text}]))[0])


def test_the_beginning_is_sentences_or_clauses() -> None:
    assert summary(LeadingSentences("sentences", 2), TEXT).candidates[0].text == (
        "Cats sleep. Cats and dogs sleep all day."
    )
    assert summary(LeadingSentences("clauses", 1), "采用新方法,提高精度。").candidates[0].text == "采用新方法"


def test_textrank_prefers_the_sentence_that_shares_most_with_the_others() -> None:
    found = summary(TextRank(1, 0.85, 1.0), TEXT)
    assert found.candidates[0].text == "Cats and dogs sleep all day."
    scores = {passage.text: passage.score for passage in found.passages}
    assert scores["It rained."] == min(scores.values())
    assert max(scores.values()) == 1.0


def test_textrank_agrees_with_the_eigenvector_of_its_graph() -> None:
    texts = ["ant bee cow", "bee cow dog", "cow dog elk fox", "xerus yak", "ant fox"]
    (spans,) = TextRank(1, 0.85, 1.0).spans([Document.of(". ".join(text.title() for text in texts) + ".")])
    words = [set(text.split()) for text in texts]
    weights = np.array(
        [
            [len(one & other) / (np.log(len(one) + 1) + np.log(len(other) + 1)) for other in words]
            for one in words
        ]
    )
    np.fill_diagonal(weights, 0)
    weights[3] = 1.0  # like no other: the walk goes anywhere
    steps = 0.85 * weights / weights.sum(axis=1, keepdims=True) + 0.15 / 5
    values, vectors = np.linalg.eig(steps.T)
    expected = np.abs(np.real(vectors[:, np.argmax(np.real(values))]))
    assert spans.scores == pytest.approx(expected / expected.max(), abs=1e-4)


def test_a_long_text_is_answered_with_as_many_pieces_as_are_kept() -> None:
    found = summary(LeadingSentences("sentences", 1), "Word here. " * 5_000)
    assert len(found.passages) == MOST_PASSAGES
    assert summary(TextRank(1, 0.85, 0.5), "Word here. " * 5_000).candidates[0].text == "Word here."


@pytest.mark.parametrize("name", ["leading_sentences", "text_rank", "span_ranker"])
def test_options_that_are_not_ours_and_torn_files_are_refused(name: str, tmp_path: Path) -> None:
    for options in ({}, {"unit": "pages", "count": 1}, {"count": "many", "rules": {}}):
        with pytest.raises(ArtifactError):
            find_runtime(name).load(tmp_path, options, 1)
    (tmp_path / "tables.safetensors").write_bytes(b"torn")
    with pytest.raises(ArtifactError):
        find_runtime("span_ranker").load(tmp_path, {"count": 1, "rules": {}}, 1)
