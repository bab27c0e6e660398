"""Finds the names in a sentence, by a list of names and by how names are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from servery.models.encoders._words import CJK

UNTYPED = "entity"
_CAPITAL, _LETTER = "[A-ZÀ-ÖØ-ÞΑ-ΩА-Я]", rf"[^\W_{CJK}]"
_WORD = rf"{_CAPITAL}(?:{_LETTER}|[’'&-])*"
_CAPITALISED = re.compile(
    rf"(?<!{_LETTER}){_WORD}\.?(?: (?:(?:of|and|the|de|van|von|for|&) )?{_WORD})*(?:, (?:Inc|Ltd|LLC|Corp|Co|GmbH)\b)?"
)
_POSSESSIVE = re.compile(r"[’']s?$")
_NO_NAMES = frozenset(
    (
        *("a", "an", "the", "this", "that", "these", "those", "he", "she", "it", "they", "we", "i", "you"),
        *("his", "her", "its", "their", "our", "my", "your", "who", "what", "when", "where", "why", "how"),
        *(
            "in",
            "on",
            "at",
            "by",
            "for",
            "from",
            "with",
            "without",
            "of",
            "to",
            "as",
            "if",
            "but",
            "and",
            "or",
        ),
        *("nor", "so", "yet", "after", "before", "since", "until", "during", "while", "although", "because"),
        *("there", "here", "then", "now", "today", "yesterday", "tomorrow", "once", "later", "earlier"),
        *(
            "according",
            "reportedly",
            "meanwhile",
            "however",
            "moreover",
            "also",
            "both",
            "each",
            "every",
            "all",
        ),
        *("some", "many", "most", "no", "not", "one", "two", "three", "four", "five"),
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        *("january", "february", "march", "april", "may", "june", "july", "august"),
        *("september", "october", "november", "december", "mr", "mrs", "ms", "dr", "prof"),
        *("inc", "ltd", "llc", "corp", "co", "gmbh"),
    )
)
"""Words that are capitalised for standing first, name a day or a month, or only go with a name."""
_TITLES = frozenset({"mr", "mr.", "mrs", "mrs.", "ms", "ms.", "dr", "dr.", "prof", "prof."})


@dataclass(frozen=True)
class Named:
    """A piece of a sentence that names something: where it stands, what stands there, and what it is called."""

    start: int
    end: int
    text: str
    type: str = UNTYPED


class NameFinder:
    """Finds names that are on a list and, in scripts with capitals, runs of capitalised words.

    It knows no kinds of names and takes some words for names; a tagging model does better. Scripts without capitals,
    such as Chinese, need the list.

    Args:
        names: Names to find as they are written; the longest one counts where several fit.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        wanted = sorted({name.strip() for name in names} - {""}, key=lambda name: (-len(name), name))
        self._listed = re.compile("|".join(map(_bounded, wanted))) if wanted else None

    def find(self, sentence: str) -> list[Named]:
        """Return the names of a sentence, in order; none overlaps another."""
        listed = (
            []
            if self._listed is None
            else [_named(sentence, *m.span()) for m in self._listed.finditer(sentence)]
        )
        taken = [(name.start, name.end) for name in listed]
        written = [
            name
            for name in _capitalised(sentence)
            if all(name.end <= start or end <= name.start for start, end in taken)
        ]
        return sorted(listed + written, key=lambda name: name.start)


def _bounded(name: str) -> str:
    """Return a pattern for a name that is no part of a longer word, where words have spaces between them."""
    left = r"\b" if name[0].isascii() and name[0].isalnum() else ""
    right = r"\b" if name[-1].isascii() and name[-1].isalnum() else ""
    return left + re.escape(name) + right


def _named(sentence: str, start: int, end: int) -> Named:
    return Named(start, end, sentence[start:end])


def _capitalised(sentence: str) -> list[Named]:
    found = []
    for match in _CAPITALISED.finditer(sentence):
        start, end = _trimmed(match.group(), match.start())
        name = sentence[start:end]
        if len(name) > 1 and name.casefold() not in _NO_NAMES:
            found.append(_named(sentence, start, end))
    return found


def _trimmed(text: str, start: int) -> tuple[int, int]:
    """Return where a name stands without a first word that is none, a possessive and a final point."""
    end = start + len(text)
    words: Sequence[str] = text.split(" ")
    while len(words) > 1 and words[0].casefold() in _NO_NAMES | _TITLES:
        start += len(words[0]) + 1
        words = words[1:]
    kept = _POSSESSIVE.sub("", text[len(text) - (end - start) :]).rstrip(".")
    return start, start + len(kept)
