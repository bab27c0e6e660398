"""What the words of a text are, in English, Chinese and what is between them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from servery.errors import InputError

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Scripts written without spaces (kana, Han) or best cut by syllable (Hangul): each character is a word."""

WORD_PATTERN = rf"[{CJK}]|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)*|[^\w\s]|_"
"""A CJK character, a word with its apostrophes, or one mark: smileys and exclamation marks carry meaning."""

MARKED = "⟦ {} ⟧"
"""Around what is asked about: marks that hardly a text brings along."""
MOST_MARKS = 20
"""Places that are marked; a single letter is no aspect, and a long text must not grow without bound."""

_WORD = re.compile(WORD_PATTERN)


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case, full-width forms made ordinary.

    >>> words_of("I don't like ＡＢＣ :) 很喜欢")
    ['i', "don't", 'like', 'abc', ':', ')', '很', '喜', '欢']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def text_of(example: Mapping[str, Any], columns: Sequence[str]) -> str:
    r"""Return the texts of one example, a line each; a missing one is empty.

    Where a later text stands within the first one, as an aspect does within its review, it is marked there.

    Raises:
        InputError: A value is no text.

    >>> text_of({"text": "Bad food, good service", "aspect": "service"}, ("text", "aspect"))
    'Bad food, good ⟦ service ⟧\nservice'
    """
    texts = []
    for column in columns:
        value = example.get(column)
        if value is not None and not isinstance(value, str):
            raise InputError(f"{column!r} is {type(value).__name__}; expected a text.", param=f"/{column}")
        texts.append(value or "")
    for other in texts[1:]:
        if other:
            texts[0] = texts[0].replace(other, MARKED.format(other), MOST_MARKS)
    return "\n".join(texts)
