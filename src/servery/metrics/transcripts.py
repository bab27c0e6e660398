"""How far what was heard is from what was said: words and characters put in, left out and taken for others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import ModuleType

from servery.errors import MissingExtraError

_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Characters of scripts without spaces between words; each counts as a word."""


@dataclass(frozen=True)
class Edits:
    """The fewest changes that turn what was heard into what was said.

    Attributes:
        units: Words or characters that were said.
        substitutions: Taken for others.
        deletions: Said and not heard.
        insertions: Heard and not said.
    """

    units: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        """All changes."""
        return self.substitutions + self.deletions + self.insertions


def words_of(text: str) -> list[str]:
    """Return the words of a text; a character of Chinese or Japanese is one.

    >>> words_of("turn on 客厅")
    ['turn', 'on', '客', '厅']
    """
    return _UNSPACED.sub(r" \g<0> ", text).split()


def word_edits(said: str, heard: str) -> Edits:
    """Return the edits between two texts in words.

    Source: Morris, Maier, Green (2004), From WER and RIL to MER and WIL, section 2; computed by jiwer.

    >>> word_edits("one two three", "one too three four")
    Edits(units=3, substitutions=1, deletions=0, insertions=1)
    """
    return _edits(words_of(said), words_of(heard))


def character_edits(said: str, heard: str) -> Edits:
    """Return the edits between two texts in characters, spaces left out.

    >>> character_edits("two", "to")
    Edits(units=3, substitutions=0, deletions=1, insertions=0)
    """
    return _edits(list("".join(said.split())), list("".join(heard.split())))


def aligned_words(said: str, heard: str) -> list[tuple[str, str]]:
    """Return the words side by side, an empty text where one was put in or left out.

    >>> aligned_words("one two three", "one too three four")
    [('one', 'one'), ('two', 'too'), ('three', 'three'), ('', 'four')]
    """
    left, right = words_of(said), words_of(heard)
    if not left or not right:
        return [(word, "") for word in left] + [("", word) for word in right]
    pairs: list[tuple[str, str]] = []
    for chunk in _jiwer().process_words(" ".join(left), " ".join(right)).alignments[0]:
        one = left[chunk.ref_start_idx : chunk.ref_end_idx]
        other = right[chunk.hyp_start_idx : chunk.hyp_end_idx]
        length = max(len(one), len(other))
        pairs += zip(one or [""] * length, other or [""] * length, strict=True)
    return pairs


def _edits(said: list[str], heard: list[str]) -> Edits:
    if not said or not heard:
        return Edits(len(said), 0, len(said), len(heard))
    found = _jiwer().process_words(" ".join(said), " ".join(heard))
    return Edits(len(said), found.substitutions, found.deletions, found.insertions)


def _jiwer() -> ModuleType:
    try:
        import jiwer
    except ImportError as error:
        raise MissingExtraError.named("audio") from error
    return jiwer  # type: ignore[no-any-return]
