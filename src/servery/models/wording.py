"""What the texts that a model learned from were like: their scripts, and the words that most of them are made of."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoders._words import words_of

READ_CHARACTERS = 500
"""From the start of each text: enough to tell, and a long text costs no more than a short one."""
LEAST_SHARE = 0.1
"""Of a text's letters, from which it is also in their script."""
MOST_TEXTS = 5_000
MOST_WORDS = 2_000
"""The commonest: in any language they make up most of a text (Zipf), so that a text with hardly any is another's."""
LEAST_WORDS = 4
"""Fewer tell nothing of a language."""
LEAST_TEXTS = 50
"""So few do not tell which words are common."""
RARE = 0.005
"""Share of the texts: a script that is in no more of them was not learned, and so many texts may be taken for odd."""
MOST_LEAST_SHARE = 0.25
"""A text with this share of common words is never taken for another language's."""


@dataclass(frozen=True)
class Wording:
    """What texts were like.

    Attributes:
        scripts: Of their letters, by the first word of Unicode's names of these, e.g. "LATIN"; sorted.
        words: The commonest; empty where too few texts were seen.
        least_share: A text of which a smaller share of words is among those is not like them.
    """

    scripts: tuple[str, ...]
    words: frozenset[str] = frozenset()
    least_share: float = 0.0

    @classmethod
    def fit(cls, columns: Sequence[Column], dataset: Dataset) -> Wording | None:
        """Look at the texts of a training part; None where the columns hold no text alone."""
        names = [column.name for column in columns if column.kind in (Kind.TEXT, Kind.MARKED_TEXT)]
        if not names or len(names) < len(columns):
            return None
        return cls.of([_joined(dataset[name][row] for name in names) for row in _spread(len(dataset))])

    @classmethod
    def of(cls, texts: Sequence[str]) -> Wording:
        """Look at these texts.

        >>> Wording.of(["Привет", "hello", "12:30"]).scripts
        ('CYRILLIC', 'LATIN')
        """
        scripts, counts = Counter[str](), Counter[str]()
        for text in texts:
            scripts.update(scripts_of(text))
            counts.update(set(_words(text)))
        usual = tuple(sorted(name for name, count in scripts.items() if count > RARE * len(texts)))
        if len(texts) < LEAST_TEXTS:
            return cls(usual)
        words = frozenset(word for word, _ in counts.most_common(MOST_WORDS))
        shares = sorted(share for text in texts if (share := _share(_words(text), words)) is not None)
        least = shares[int(RARE * len(shares))] if shares else 0.0
        return cls(usual, words, min(least, MOST_LEAST_SHARE))

    def notices(self, texts: Iterable[str]) -> dict[str, str]:
        """Return what these texts have that the others had not, by the code of the notice.

        >>> english = Wording(("LATIN",), frozenset({"the", "is", "here"}), 0.2)
        >>> list(english.notices(["the cat is here", "Привет"])), english.notices(["the dog is there"])
        (['unseen_script'], {})
        >>> list(english.notices(["le chat est ici ce soir"]))
        ['unlike_the_training']
        """
        found, is_odd = set[str](), False
        for text in texts:
            unseen = scripts_of(text) - set(self.scripts)
            share = _share(_words(text), self.words) if self.words and not unseen else None
            found |= unseen
            is_odd |= share is not None and share < self.least_share
        if found:
            names = " and ".join(sorted(name.capitalize() for name in found))
            return {
                "unseen_script": f"The text has letters that the model did not learn from ({names}); "
                "it may be far off."
            }
        if is_odd:
            return {
                "unlike_the_training": "The text is not like those the model learned from; "
                "is it in the right language?"
            }
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "scripts": list(self.scripts),
            "words": sorted(self.words),
            "least_share": self.least_share,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Wording:
        """Rebuild it from `to_dict`."""
        words = frozenset(str(word) for word in value["words"])
        return cls(tuple(map(str, value["scripts"])), words, float(value["least_share"]))


def scripts_of(text: str) -> set[str]:
    """Return the scripts of a text's letters, by the first word of Unicode's names of these.

    A letter here and there does not count: a formula is no Greek.

    >>> sorted(scripts_of("I ♥ 中文 😀")), scripts_of("12:30"), scripts_of("an angle of π or more")
    (['CJK', 'LATIN'], set(), {'LATIN'})
    """
    start = text[:READ_CHARACTERS]
    if start.isascii():  # most texts of most services, and much the quickest
        return {"LATIN"} if any(map(str.isalpha, start)) else set()
    counts = Counter(script for character in start if (script := _script(character)))
    return {script for script, count in counts.items() if count >= LEAST_SHARE * counts.total()}


@lru_cache(4096)
def _script(character: str) -> str:
    if not character.isalpha():
        return ""
    return unicodedata.name(unicodedata.normalize("NFKC", character)[0], "?").split()[0]


def _words(text: str) -> list[str]:
    return [word for word in words_of(text[:READ_CHARACTERS]) if word[0].isalpha()]


def _share(words: Sequence[str], common: frozenset[str]) -> float | None:
    """Return the share of words that are common; None of a text too short to tell."""
    return sum(word in common for word in words) / len(words) if len(words) >= LEAST_WORDS else None


def _spread(rows: int) -> range:
    return range(0, rows, max(1, -(-rows // MOST_TEXTS)))


def _joined(cells: Iterable[Any]) -> str:
    return "\n".join(cell for cell in cells if isinstance(cell, str))
