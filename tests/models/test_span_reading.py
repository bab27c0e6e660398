"""The pieces a ranker may choose: where they begin and end, and that what is seen of one depends on its text alone."""

import numpy as np
import pytest

from servery.models.document import Document
from servery.models.span_reading import COHESION, ReadSpans, SpanRules, read_spans
from servery.models.token_contexts import BITS, ROLES, TABLE, TokenTables, contexts, hashed

TEXT = (
    "The state-of-the-art pump (a new one, by us) doesn't leak. 提出一种基于注意力的水泵模型(BERT)。"
    "Nobody knows why it works so well."
)
RULES = SpanRules(has_phrases=True, begins=30, shortest=2, longest=8, typical=5.0)


@pytest.fixture
def tables() -> TokenTables:
    """Learned nothing but that 注意力 is one word."""
    cohesion = np.zeros(TABLE, np.float32)
    numbers = Document.of("注意力").numbers
    cohesion[hashed(1, numbers[:-1], numbers[1:])] = 2 * COHESION
    ones = np.ones(TABLE, np.float32)
    weights = np.random.default_rng(0).normal(0, 0.1, (len(ROLES), TABLE)).astype(np.float32)
    return TokenTables(weights, np.zeros(len(ROLES), np.float32), ones, cohesion)


def pieces(read: ReadSpans) -> list[str]:
    return [read.document.piece(*span) for span in zip(read.firsts, read.lasts, strict=True)]


def test_phrases_keep_words_and_brackets_whole_and_stay_in_their_sentence(tables: TokenTables) -> None:
    (read,) = read_spans([Document.of(TEXT)], tables, RULES)
    sentences, phrases = pieces(read)[:3], pieces(read)[3:]
    assert sentences[2] == "Nobody knows why it works so well."
    assert len(phrases) > 60
    words = read.document.words_before[read.lasts + 1] - read.document.words_before[read.firsts]
    assert words[3:].min() >= 2
    assert words[3:].max() <= 8
    for phrase in phrases:
        assert phrase.count("(") == phrase.count(")")
        assert any(phrase in sentence for sentence in sentences)
        assert not phrase.startswith(("of-", "the-art", "t ", "意", "力"))
        assert not phrase.endswith(("state", "doesn", "注", "注意"))
    assert any("注意力" in phrase for phrase in phrases)


def test_without_phrases_there_are_the_sentences(tables: TokenTables) -> None:
    rules = SpanRules(False, 30, 2, 8, 5.0)
    (read,) = read_spans([Document.of(TEXT)], tables, rules)
    assert len(pieces(read)) == len(read.features) == 3


def test_what_is_seen_of_a_text_does_not_depend_on_the_others(tables: TokenTables) -> None:
    documents = [Document.of(TEXT), Document.of("One sentence only"), Document.of("是。")]
    together = read_spans(documents, tables, RULES)
    for document, read in zip(documents, together, strict=True):
        (alone,) = read_spans([document], tables, RULES)
        assert np.array_equal(alone.features, read.features)
        assert np.isfinite(read.features).all()
        assert len(read.firsts) >= 1


def test_the_same_surroundings_have_the_same_hash_and_kinds_differ() -> None:
    document = Document.of("The pump works. The pump works. The pump works.")
    found = contexts(document)
    assert set(found) == set(ROLES)
    places = np.flatnonzero(document.numbers == document.numbers[1])
    alone = found["begin"][places, 0]
    assert len(set(alone.tolist())) == 1
    assert len({*found["begin"][1].tolist(), *found["end"][1].tolist()}) > 20
    assert max(int(part.max()) for part in found.values()) < 1 << BITS
