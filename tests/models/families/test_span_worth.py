"""What pieces of a text are worth, against ROUGE counted one by one."""

import numpy as np
import pytest

from servery.metrics.rouge import common_subsequence, rouge_words
from servery.models.document import Document
from servery.models.families._span_worth import SpanWorth

TEXT = "The cat sat, the cat ran. A dog saw the other cat run home; it sat."
REFERENCES = ("the cat saw a dog run", "dog ran home")


def worth_of(piece: str, reference: str) -> float:
    said, wanted = rouge_words(piece), rouge_words(reference)
    shared = sum(min(said.count(word), wanted.count(word)) for word in set(said))
    return (shared + common_subsequence(said, wanted)) / (len(said) + len(wanted))


def test_every_piece_is_worth_the_mean_of_its_rouge_1_and_rouge_l() -> None:
    document = Document.of(TEXT)
    worth = SpanWorth(document, REFERENCES, 12)
    firsts, lasts = np.triu_indices(len(document))
    words = document.words_before[lasts + 1] - document.words_before[firsts]
    some = (words > 0) & (words <= 12)
    found = worth.of(firsts[some], lasts[some])
    expected = [
        max(worth_of(document.piece(first, last), reference) for reference in REFERENCES)
        for first, last in zip(firsts[some], lasts[some], strict=True)
    ]
    assert found == pytest.approx(np.array(expected))


def test_tokens_are_worth_their_best_piece_within_the_sentence() -> None:
    document = Document.of(TEXT)
    worth = SpanWorth(document, REFERENCES, 20)
    found = worth.of_tokens()
    (_, second), (third, fourth) = document.sentences.tolist()
    assert (
        found["begin"][third]
        == worth.of(np.full(fourth - third + 1, third), np.arange(third, fourth + 1)).max()
    )
    assert found["end"][second] == worth.of(np.arange(second + 1), np.full(second + 1, second)).max()
    assert found["member"].tolist() == [
        float(word in {"the", "cat", "saw", "a", "dog", "run", "ran", "home"})
        for word in (document.piece(place, place).lower() for place in range(len(document)))
    ]
