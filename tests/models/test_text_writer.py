"""Texts as they are written token by token: whole characters, and nothing that may yet be a stop text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE

from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.text_writer import TextWriter

TEXTS = [
    "Once upon a time",
    "早上好，今天天气很好。",
    "¿Dónde está? 👩‍👩‍👧‍👦🇨🇳",
    "a\u0301e\u0301",
    "\n\t  x  ",
]


@pytest.fixture(scope="module")
def tokenizer(scribes: Any) -> LanguageTokenizer:
    made: LanguageTokenizer = scribes.scribes_tokenizer()
    return made


def written(tokenizer: LanguageTokenizer, numbers: list[int], *stops: str) -> tuple[list[str], TextWriter]:
    writer = TextWriter(tokenizer, stops)
    pieces = []
    for number in numbers:
        pieces.append(writer.write(number))
        if writer.is_stopped:
            break
    return [*pieces, writer.finish()], writer


@pytest.mark.parametrize("text", TEXTS)
def test_no_piece_holds_half_a_character_and_together_they_are_the_text(
    tokenizer: LanguageTokenizer, text: str
) -> None:
    numbers = tokenizer.numbers(text, with_marks=False)
    pieces, writer = written(tokenizer, numbers)
    assert "".join(pieces) == writer.text == text
    assert not any("\ufffd" in piece for piece in pieces)


@given(st.lists(st.integers(0, 300), max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_a_model_puts_out_is_written_as_it_decodes(
    tokenizer: LanguageTokenizer, numbers: list[int]
) -> None:
    pieces, _ = written(tokenizer, numbers)
    assert "".join(pieces) == tokenizer.text(numbers)


@given(st.text(max_size=30), st.text(min_size=1, max_size=4), st.text(max_size=10))
@settings(max_examples=60, deadline=None)
def test_a_stop_text_across_tokens_ends_the_text_before_it(
    tokenizer: LanguageTokenizer, before: str, stop: str, after: str
) -> None:
    text = before + stop + after
    pieces, writer = written(tokenizer, tokenizer.numbers(text, with_marks=False), stop)
    assert "".join(pieces) == text[: text.index(stop)]
    assert writer.is_stopped


def test_what_began_like_a_stop_text_and_was_none_is_written(tokenizer: LanguageTokenizer) -> None:
    numbers = tokenizer.numbers("the ENvelope EN", with_marks=False)
    pieces, writer = written(tokenizer, numbers, "END", "STOP")
    assert "".join(pieces) == "the ENvelope EN"
    assert not writer.is_stopped


def test_of_two_stop_texts_the_earlier_one_counts(tokenizer: LanguageTokenizer) -> None:
    numbers = tokenizer.numbers("one two three", with_marks=False)
    assert "".join(written(tokenizer, numbers, "three", "two")[0]) == "one "


def test_a_character_in_single_bytes_of_a_sentencepiece_vocabulary_is_whole() -> None:
    names = ["<0xE4>", "<0xB8>", "<0x96>", "▁a", "b"]
    tokenizer = Tokenizer(BPE({name: place for place, name in enumerate(names)}, []))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made = LanguageTokenizer(tokenizer, {})
    pieces, _ = written(made, [3, 0, 1, 2, 4, 3])
    assert pieces == ["a", "", "", "世", "b", " a", ""]
    assert [made.bytes_of(number) for number in (0, 3)] == [b"\xe4", b" a"]


def test_the_bytes_of_the_tokens_are_the_bytes_of_the_text(tokenizer: LanguageTokenizer) -> None:
    for text in TEXTS:
        numbers = tokenizer.numbers(text, with_marks=False)
        assert b"".join(tokenizer.bytes_of(number) for number in numbers) == text.encode()
