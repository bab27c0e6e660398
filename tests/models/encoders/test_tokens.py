"""Byte-level BPE: nothing is unknown, nothing is cut in silence."""

import json

import numpy as np
import pytest

from servery.errors import ArtifactError, TooLongError
from servery.models.encoders.tokens import RESERVED, Tokens

TEXTS = [
    "The soup was not bad at all, the soup was good",
    "the service was bad, the service was slow",
    "汤不好喝，服务很差",
    "服务很好，汤很好",
]


def fitted(max_tokens: int = 64) -> Tokens:
    examples = [{"text": text} for text in TEXTS * 20]
    return Tokens.fit(examples, ["text"], vocabulary_size=400, max_tokens=max_tokens)


def test_batches_are_padded_with_zero_to_the_longest() -> None:
    encoder = fitted()
    tokens = encoder.encode([{"text": "the soup"}, {"text": "the soup was good"}])["tokens"]
    assert tokens.dtype == np.int64
    assert (tokens[0] == 0).any()
    assert (tokens[1] > 0).all()
    assert encoder.sizes([{"text": "the soup"}]) == [int((tokens[0] > 0).sum())]


def test_frequent_words_are_one_token_whatever_their_case_and_width() -> None:
    encoder = fitted()
    plain, loud, wide = (encoder.rows([{"text": text}])[0] for text in ("soup", "SOUP", "ｓｏｕｐ"))
    assert len(plain) == 1
    assert plain == loud == wide


def test_chinese_characters_are_never_joined() -> None:
    encoder = fitted()
    together = encoder.rows([{"text": "服务很好"}])[0]
    apart = [number for character in "服务很好" for number in encoder.rows([{"text": character}])[0]]
    assert together == apart


def test_text_never_seen_still_has_tokens_of_its_own() -> None:
    encoder = fitted()
    rows = encoder.rows([{"text": "😝"}, {"text": "Ω"}, {"text": "ж"}])
    assert len({tuple(row) for row in rows}) == 3
    assert min(number for row in rows for number in row) >= RESERVED
    assert max(number for row in rows for number in row) < encoder.vocabulary_size


def test_empty_and_missing_texts_are_the_unknown_token() -> None:
    assert fitted().encode([{"text": ""}, {"text": None}, {}])["tokens"].tolist() == [[1], [1], [1]]


def test_a_text_over_the_limit_is_refused_and_cut_only_when_asked() -> None:
    encoder = fitted(max_tokens=4)
    long = [{"text": "soup " * 9}]
    with pytest.raises(TooLongError, match="9 tokens; this model reads at most 4"):
        encoder.encode(long)
    assert encoder.encode(long, cut=True)["tokens"].shape == (1, 4)


def test_little_data_gets_a_small_vocabulary() -> None:
    few = Tokens.fit([{"text": text} for text in TEXTS], ["text"], vocabulary_size=12_000)
    assert few.vocabulary_size < 300


def test_the_same_texts_give_the_same_tokens_and_state_survives_json() -> None:
    first, second = fitted(), fitted()
    assert first.state() == second.state()
    restored = Tokens.restore(json.loads(json.dumps(first.state())))
    assert restored.rows([{"text": t} for t in TEXTS]) == first.rows([{"text": t} for t in TEXTS])


@pytest.mark.parametrize("torn", [{}, {"columns": ["a"], "max_tokens": 3, "tokenizer": {"model": "none"}}])
def test_torn_state_is_refused(torn: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match="torn"):
        Tokens.restore(torn)
