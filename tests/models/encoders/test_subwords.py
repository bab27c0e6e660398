"""Subwords: texts come back as they were, foreign ones are told, long ones are read by sentences."""

from typing import Any

import numpy as np
import pytest

from servery.errors import ArtifactError, InputError, TooLongError
from servery.fields._field import find_field
from servery.models.encoders.subwords import Subwords
from servery.models.pieces import BEGIN, END, PADDING, UNKNOWN, joined
from servery.tasks.written import HOW


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    sample = find_field("machine-translation").offers[0].sample(300, 0)
    return [{"en": en, "zh": zh} for en, zh in zip(sample["en"], sample["zh"], strict=True)]


@pytest.fixture(scope="module")
def subwords(rows: list[dict[str, Any]]) -> Subwords:
    texts = [row["zh"] for row in rows]
    return Subwords.fit(rows, ["en"], texts, "zh", vocabulary_size=400, max_tokens=40)


def test_what_was_learned_comes_back_as_it_was(subwords: Subwords, rows: list[dict[str, Any]]) -> None:
    pieces = subwords.pieces()
    for row, numbers in zip(rows, subwords.written_rows([row["zh"] for row in rows]), strict=True):
        assert numbers[-1] == END
        assert all(number < subwords.written_size for number in numbers)
        assert joined([pieces[number] for number in numbers]) == row["zh"]
    for row, numbers in zip(rows, subwords.read_rows(rows), strict=True):
        assert joined([pieces[number] for number in numbers]) == row["en"]
    assert len(pieces) == subwords.vocabulary_size


def test_each_chinese_character_is_a_piece(subwords: Subwords) -> None:
    pieces = subwords.pieces()
    assert [pieces[n] for n in subwords.written_rows(["汤姆昨天看了一本书。"])[0][:-1]] == list(
        "汤姆昨天看了一本书。"
    )


def test_what_was_never_learned_is_unknown_and_no_mark_can_be_written(subwords: Subwords) -> None:
    batch = subwords.encode([{"en": "Tom 😀 <unknown>"}])
    assert batch["unknown"].tolist() == [1 + len("<>")]
    assert (batch["tokens"] == UNKNOWN).sum() == batch["unknown"][0]
    assert not (batch["tokens"] == BEGIN).any()


@pytest.mark.parametrize(
    ("text", "is_foreign"),
    [
        ("Mary drank a cup of tea at home yesterday.", False),
        ("Did the doctor see a horse last week?", False),
        ("玛丽昨天在家里喝了一杯茶。", True),
        ("أين المكتبة؟", True),
        ("😀😀😀", True),
        ("", False),
    ],
)
def test_texts_unlike_those_learned_from_are_told(subwords: Subwords, text: str, is_foreign: bool) -> None:
    assert subwords.encode([{"en": text}])["is_foreign"].tolist() == [float(is_foreign)]


def test_a_long_text_is_read_by_sentences_and_an_empty_one_has_none(subwords: Subwords) -> None:
    one = "Mary drank a cup of tea at home yesterday."
    batch = subwords.encode([{"en": " ".join([one] * 5)}, {"en": ""}, {"en": one}])
    assert batch["text"].tolist() == [0] * 5 + [2]
    assert (batch["tokens"] == batch["tokens"][0]).all()
    assert (batch["tokens"][:, -1] == END).all()
    assert subwords.encode([{"en": None}])["tokens"].shape == (0, 1)


def test_too_much_is_refused_or_cut(subwords: Subwords) -> None:
    for text in ("word " * 100, "Tom ate. " * 100):
        with pytest.raises(TooLongError, match="sentences"):
            subwords.encode([{"en": text}])
        assert (subwords.encode([{"en": text}], cut=True)["tokens"] != PADDING).sum() > 0


def test_what_is_asked_is_noted_for_each_text(subwords: Subwords) -> None:
    asked = [{"en": "Tom ate.", HOW: {"beam_size": 2, "attention": True}}, {"en": "Tom ate."}]
    batch = subwords.encode(asked)
    assert batch["beam_size"].tolist() == [2, 5]
    assert batch["attention"].tolist() == [1, 0]
    for language in ("de", "zho_Hans"):
        with pytest.raises(InputError, match="from 'en' to 'zh'"):
            subwords.encode([{"en": "Tom ate.", HOW: {"src_lang": language}}])
    subwords.encode([{"en": "Tom ate.", HOW: {"src_lang": "eng_Latn", "tgt_lang": "zh_CN"}}])


def test_it_is_restored_from_its_state_and_a_torn_one_is_refused(subwords: Subwords) -> None:
    state = subwords.state()
    again, example = Subwords.restore(state), [{"en": "My friend lost a key 😀 on the train."}]
    for name, array in subwords.encode(example).items():
        assert np.array_equal(again.encode(example)[name], array)
    for torn in ({}, {**state, "order": [0]}, {**state, "tokenizer": {}}, {**state, "written_size": 10**9}):
        with pytest.raises(ArtifactError):
            Subwords.restore(torn)
