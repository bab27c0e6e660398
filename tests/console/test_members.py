"""Messages told as tables of members: nested structs, lists, alternatives, bounds, docstrings."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from servery.console.members import Member, Message


class Inner(msgspec.Struct):
    """A part.

    Attributes:
        weight: In kilograms.
    """

    weight: Annotated[float, Meta(ge=0, le=1e300)]


class Outer(msgspec.Struct):
    """A whole.

    It has a second paragraph.

    Attributes:
        name: What it is called, over
            two lines: both count.
        parts: What it is made of.
    """

    name: Annotated[str, Meta(min_length=1, max_length=1024, pattern="^[a-z]+$")]
    parts: Annotated[list[Inner], Meta(max_length=10)]
    tags: list[Annotated[str, Meta(max_length=5)]] = []
    twin: Inner | None = None
    is_new: bool = True


@pytest.fixture
def members() -> dict[str, Member]:
    return {f"{'>' * member.depth}{member.name}": member for member in Message(Outer).members}


def test_members_of_members_stand_below_them(members: dict[str, Member]) -> None:
    names = [f"{'>' * member.depth}{member.name}" for member in Message(Outer).members]
    assert names[:3] == ["name", "parts", ">weight"]
    assert Message(Outer).summary == "A whole."


def test_types_are_words(members: dict[str, Member]) -> None:
    assert members["parts"].type == "list of object"
    assert members["twin"].type == "object or null"
    assert members["is_new"].type == "true or false"


def test_bounds_are_words_and_infinity_is_none(members: dict[str, Member]) -> None:
    assert members["name"].bounds == ("1 to 1,024 characters", "like ^[a-z]+$")
    assert members["parts"].bounds == ("at most 10 items",)
    assert members["tags"].bounds == ("each at most 5 characters",)
    assert members[">weight"].bounds == ("at least 0",)
    assert members["is_new"].bounds == ("default true",)


def test_meanings_come_from_the_docstring(members: dict[str, Member]) -> None:
    assert members["name"].meaning == "What it is called, over two lines: both count."
    assert members[">weight"].meaning == "In kilograms."
    assert members["twin"].meaning == "A part."


def test_what_is_required_is_said(members: dict[str, Member]) -> None:
    assert [name for name, member in members.items() if member.is_required] == ["name", "parts", ">weight"]


def test_alternatives_tell_each_of_their_bounds() -> None:
    text = {"type": "string", "maxLength": 5, "description": "A word."}
    schema = {"type": "object", "properties": {"inputs": {"anyOf": [text, {"type": "array", "items": text}]}}}
    (member,) = Message(schema).members
    assert member.type == "text or list of text"
    assert member.bounds == ("text: at most 5 characters", "list of text: each at most 5 characters")
    assert member.meaning == "A word."


def test_a_message_without_members_says_what_it_is() -> None:
    assert (Message({}).type, Message({}).members) == ("any JSON", ())
