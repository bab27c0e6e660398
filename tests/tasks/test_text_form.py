"""What is special to texts."""

import time

import pytest

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError, TooLongError, UnsupportedMediaError
from servery.models.signature import Limits
from servery.tasks.forms.text import TEXT

ONE = (Column("review", Kind.TEXT, Role.INPUT),)
TWO = (Column("title", Kind.TEXT, Role.INPUT), Column("body", Kind.TEXT, Role.INPUT))
LIMITS = Limits(max_text_characters=1000)


def test_a_text_and_a_list_of_texts():
    assert TEXT.examples("很好", ONE, LIMITS) == [{"review": "很好"}]
    assert TEXT.examples(["a", ""], ONE, LIMITS) == [{"review": "a"}, {"review": ""}]


def test_several_texts_are_an_object():
    assert TEXT.examples({"title": "a", "body": "b"}, TWO, LIMITS) == [{"title": "a", "body": "b"}]
    with pytest.raises(InputError, match=r"Unknown: 'titel'\. Did you mean 'title'"):
        TEXT.examples({"titel": "a", "body": "b"}, TWO, LIMITS)
    with pytest.raises(InputError, match="Missing at /inputs: 'body'"):
        TEXT.examples({"title": "a"}, TWO, LIMITS)
    with pytest.raises(InputError, match="got a string"):
        TEXT.examples("a", TWO, LIMITS)


def test_errors_point_at_the_place():
    with pytest.raises(InputError, match="got a number") as caught:
        TEXT.examples(["a", 7], ONE, LIMITS)
    assert caught.value.param == "/inputs/1"
    with pytest.raises(TooLongError, match=r"1,001 characters; this model accepts 1,000") as caught:
        TEXT.examples(["a", "b", "x" * 1001], ONE, LIMITS)
    assert caught.value.param == "/inputs/2"


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(InputError, match="half a surrogate pair at character 2"):
        TEXT.examples("ok\ud83d", ONE, LIMITS)


def test_plain_text_can_be_sent_as_the_body():
    assert TEXT.examples_from_bytes("很好".encode(), "text/plain; charset=utf-8", ONE, LIMITS) == [
        {"review": "很好"}
    ]
    with pytest.raises(InputError, match="not UTF-8: byte 1"):
        TEXT.examples_from_bytes(b"a\xff", "text/plain", ONE, LIMITS)
    with pytest.raises(UnsupportedMediaError):
        TEXT.examples_from_bytes(b"a", "image/png", ONE, LIMITS)


def test_one_text_is_read_in_microseconds():
    text = "x" * 784
    times = []
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(100):
            TEXT.examples(text, ONE, LIMITS)
        times.append((time.perf_counter() - start) / 100)
    assert min(times) < 10e-6
