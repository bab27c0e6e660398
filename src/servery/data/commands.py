"""A command's meaning: its intent and the slots it fills, and where the value of a slot stands in the text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from servery.data.number_words import digits_of, forms_of

Value = str | int | float
Slots = Mapping[str, Value]
LEAST_SHARE = 0.9
"""Of a text value's rows: where it stands in fewer of them, it is meant rather than said ("on" of "is it open?")."""
CONTEXT_CHARACTERS = 8
"""On either side of a value, by which two places of the same value are told apart."""
_WITHIN_WORD = re.compile("[0-9A-Za-z\u00c0-\u024f\u0370-\u052f]{2}")
"""Letters of scripts that put spaces between words: a value must not begin or end within one."""
_NUMERALS = frozenset("零一二三四五六七八九十百千万两")


@dataclass(frozen=True)
class Said:
    """A slot whose value stands in the text.

    Attributes:
        name: The slot.
        start: First character of the value.
        end: The character after its last.
        form: "text", "number", or "-number": the text says 20, "down by 20", and -20 is meant.
    """

    name: str
    start: int
    end: int
    form: str


@dataclass(frozen=True)
class Meaning:
    """Where the slots of one command come from.

    Attributes:
        said: Slots whose value stands in the text, in its order, none over another.
        meant: Slots whose value is only meant by it.
    """

    said: tuple[Said, ...]
    meant: tuple[tuple[str, Value], ...]


def fault_of_command(cell: Any) -> str:
    """Return what is wrong with a command's meaning, {"intent": ..., "slots": {name: value}}; empty if nothing is."""
    if not isinstance(cell, dict) or not isinstance(cell.get("intent"), str) or not cell["intent"].strip():
        return 'it is no object with an "intent"'
    if cell["intent"].startswith("{"):
        return "its intent begins with a brace"
    slots = cell.get("slots", {})
    if not isinstance(slots, dict):
        return 'its "slots" are no object of names and values'
    for name, value in slots.items():
        if not name or set(name) & set("{}=:"):
            return f"the slot {name!r} is no name"
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            return f"the slot {name!r} holds {value!r}, which is no text and no number"
    return ""


def same_value(value: Value) -> Value:
    """Return what two values are compared by: numbers as numbers, texts without regard to case and outer spaces.

    >>> same_value("Kitchen ") == same_value("kitchen"), same_value(20) == same_value(20.0)
    (True, True)
    """
    return " ".join(value.casefold().split()) if isinstance(value, str) else float(value)


def places_of(text: str, value: Value) -> list[tuple[int, int]]:
    """Return where a value stands in a text, in its order; a number's size, in digits or else in words.

    >>> places_of("turn the kitchen light to 50%", "Kitchen"), places_of("turn it to 50%", -50)
    ([(9, 16)], [(11, 13)])
    >>> places_of("调到百分之五十", 50)
    [(5, 7)]
    """
    if isinstance(value, str):
        return _matches(text, re.escape(value.strip()))
    # A number is no part of a longer one.
    found = [m.span() for m in re.finditer(rf"(?<![\d.]){re.escape(digits_of(value))}(?!\d|\.\d)", text)]
    words = [re.escape(form) for form in forms_of(value)]
    return found or (_matches(text, "|".join(words)) if words else [])


def _matches(text: str, pattern: str) -> list[tuple[int, int]]:
    found = re.finditer(pattern, text, re.IGNORECASE)
    return [m.span() for m in found if not (_is_joined(text, m.start()) or _is_joined(text, m.end()))]


def _is_joined(text: str, place: int) -> bool:
    """Whether the characters before and at a place belong to one word, or to one number in Chinese."""
    if not 0 < place < len(text):
        return False
    pair = text[place - 1 : place + 1]
    return _WITHIN_WORD.fullmatch(pair) is not None or set(pair) <= _NUMERALS


def meant_values(texts: Sequence[str], slots: Sequence[Slots]) -> frozenset[tuple[str, Value]]:
    """Return the slots and text values that are learned as meanings of the whole command, though they may stand in it.

    "is the light on" says "on", "is the door open" means it too: what stands in too few of its rows is no place.
    """
    rows: Counter[tuple[str, Value]] = Counter()
    found: Counter[tuple[str, Value]] = Counter()
    for text, filled in zip(texts, slots, strict=True):
        for name, value in filled.items():
            if isinstance(value, str):
                key = name, same_value(value)
                rows[key] += 1
                found[key] += bool(places_of(text, value))
    return frozenset(key for key, count in rows.items() if found[key] < LEAST_SHARE * count)


def meanings_of(
    texts: Sequence[str], slots: Sequence[Slots], meant: frozenset[tuple[str, Value]]
) -> list[Meaning]:
    """Return where the slots of each command come from.

    Where the same value stands for two slots ("take 1 hour from the 1 hour timer"), what stands around it decides, as
    it does in the commands where there is no doubt.

    Args:
        texts: The commands.
        slots: Name to value, of each.
        meant: As `meant_values` says.
    """
    around: dict[str, Counter[str]] = defaultdict(Counter)
    for text, filled in zip(texts, slots, strict=True):
        for said in _placed(text, filled, meant, {}).said:
            if len(places_of(text, filled[said.name])) == 1:
                around[said.name].update(_around(text, said.start, said.end))
    return [_placed(text, filled, meant, around) for text, filled in zip(texts, slots, strict=True)]


def _placed(
    text: str, filled: Slots, meant: frozenset[tuple[str, Value]], around: Mapping[str, Counter[str]]
) -> Meaning:
    said: list[Said] = []
    open_slots = [(name, value) for name, value in filled.items() if (name, same_value(value)) not in meant]
    # Longer values first: the area "Bedroom" must not take a word of "Bedroom Lamp".
    open_slots.sort(key=lambda slot: -len(str(slot[1])))
    wishes = sorted(
        (
            (-len(str(value)), -_fit(text, place, around.get(name)), place, name)
            for name, value in open_slots
            for place in places_of(text, value)
        ),
    )
    done: set[str] = set()
    for _, _, (start, end), name in wishes:
        if name not in done and all(end <= other.start or start >= other.end for other in said):
            said.append(Said(name, start, end, _form_of(filled[name])))
            done.add(name)
    only_meant = tuple((name, value) for name, value in filled.items() if name not in done)
    return Meaning(tuple(sorted(said, key=lambda one: one.start)), only_meant)


def _form_of(value: Value) -> str:
    if isinstance(value, str):
        return "text"
    return "number" if value >= 0 else "-number"


def _around(text: str, start: int, end: int) -> Iterable[str]:
    """Return the beginnings of what follows a place, and the ends of what goes before it."""
    after, before = text[end : end + CONTEXT_CHARACTERS], text[max(0, start - CONTEXT_CHARACTERS) : start]
    yield from (f">{after[:length]}" for length in range(1, len(after) + 1))
    yield from (f"<{before[-length:]}" for length in range(1, len(before) + 1))


def _fit(text: str, place: tuple[int, int], known: Counter[str] | None) -> float:
    total = known.total() if known else 0
    return sum(known[piece] for piece in _around(text, *place)) / total if known and total else 0.0
