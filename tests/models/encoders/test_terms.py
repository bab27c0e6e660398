"""TF-IDF against scikit-learn's, in English and Chinese."""

import json

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from servery.errors import ArtifactError, InputError
from servery.models.encoders._words import words_of
from servery.models.encoders.terms import Terms

TEXTS = [
    "The soup was not bad at all",
    "the service was bad, bad, bad!",
    "汤不好喝，服务很差",
    "服务很好 and the soup was good :)",
    "",
    "un­usual wörds naïve café",
]


def examples(texts: list[str]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


def as_matrix(encoder: Terms, texts: list[str]) -> np.ndarray:
    batch = encoder.encode(examples(texts))
    parts = (batch["values"], batch["indices"], batch["offsets"])
    return sparse.csr_array(parts, shape=(len(texts), encoder.term_count)).toarray()


def test_words_and_phrases_weigh_as_scikit_learn_weighs_them() -> None:
    encoder = Terms.fit(examples(TEXTS), ["text"], piece_lengths=(0, 0), min_documents=2)
    theirs = TfidfVectorizer(
        tokenizer=words_of,
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        min_df=2,
        sublinear_tf=True,
    )
    expected = theirs.fit_transform(TEXTS).toarray()
    assert list(encoder.document_counts) == sorted(theirs.vocabulary_)
    assert np.abs(as_matrix(encoder, TEXTS) - expected).max() < 1e-6


def test_pieces_weigh_as_scikit_learn_weighs_them_and_have_a_length_of_their_own() -> None:
    texts = ["unhappy happy", "happily", "unhappily so", "so so"]
    encoder = Terms.fit(
        examples(texts),
        ["text"],
        phrase_length=1,
        piece_lengths=(2, 4),
        min_piece_documents=2,
        min_documents=1,
    )
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=2, sublinear_tf=True)
    expected = theirs.fit_transform(texts).toarray()
    is_piece = np.array([term.startswith("\t") for term in encoder.document_counts])
    ours = as_matrix(encoder, texts)
    assert [term[1:] for term in encoder.document_counts if term.startswith("\t")] == sorted(
        theirs.vocabulary_
    )
    assert np.abs(ours[:, is_piece] - expected).max() < 1e-6
    assert np.allclose(np.linalg.norm(ours[:, ~is_piece], axis=1), 1.0)


def test_chinese_gives_characters_and_their_pairs() -> None:
    encoder = Terms.fit(examples(["服务很好", "服务很差"]), ["text"], piece_lengths=(0, 0))
    assert set(encoder.document_counts) == {"服", "务", "很", "服 务", "务 很"}


def test_a_text_alone_is_encoded_as_among_others() -> None:
    encoder = Terms.fit(examples(TEXTS), ["text"], min_piece_documents=2)
    together = as_matrix(encoder, TEXTS)
    for row, text in enumerate(TEXTS):
        assert np.array_equal(as_matrix(encoder, [text])[0], together[row])


def test_only_the_most_frequent_terms_are_kept() -> None:
    texts = examples(["a b", "a b", "a c", "c d"])
    encoder = Terms.fit(texts, ["text"], min_documents=1, piece_lengths=(0, 0), max_terms=2)
    assert encoder.document_counts == {"a": 3, "a b": 2}


def test_long_made_up_words_are_not_remembered() -> None:
    encoder = Terms.fit(examples(TEXTS), ["text"])
    encoder.encode(examples(["x" * 5000]))
    assert encoder._numbers_of_word.cache_info().currsize == 0


def test_no_texts_are_an_empty_batch() -> None:
    batch = Terms.fit(examples(TEXTS), ["text"]).encode([])
    assert [array.tolist() for array in batch.values()] == [[], [], [0]]


def test_state_survives_json_and_torn_state_is_refused() -> None:
    encoder = Terms.fit(examples(TEXTS), ["text"])
    state = json.loads(json.dumps(encoder.state()))
    assert np.array_equal(as_matrix(Terms.restore(state), TEXTS), as_matrix(encoder, TEXTS))
    for torn in ({}, {**state, "documents": 0}, {**state, "document_counts": {"a": "b"}}):
        with pytest.raises(ArtifactError):
            Terms.restore(torn)


def test_a_number_is_no_text() -> None:
    with pytest.raises(InputError, match="expected a text"):
        Terms.fit(examples(TEXTS), ["text"]).encode([{"text": 5}])
