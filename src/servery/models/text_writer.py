"""Tokens become text as they come: whole characters only, and nothing that may yet turn out to be a stop text."""

from __future__ import annotations

from collections.abc import Sequence

from servery.models.language_tokenizer import LanguageTokenizer

HALF = "\ufffd"
"""What half a character reads as."""
LONGEST_HALF = 3
"""Bytes of a character of UTF-8 that can be there without its last."""


class TextWriter:
    """The text of one answer.

    Args:
        tokenizer: Tokens to text.
        stops: Texts before which it ends.
    """

    def __init__(self, tokenizer: LanguageTokenizer, stops: Sequence[str] = ()) -> None:
        self.text = ""
        """What has been given out."""
        self.is_stopped = False
        """Whether a stop text has come."""
        self._tokenizer = tokenizer
        self._stops = tuple(stops)
        self._numbers: list[int] = []
        # Decoding starts a few tokens back: what a token reads as may depend on the one before.
        self._start = self._read = 0
        self._before = ""  # the text of the tokens from `_start` to `_read`
        self._sent = 0  # characters of the tokens from `_read` on that have been taken over
        self._held = ""  # whole characters that may be the beginning of a stop text

    def write(self, number: int) -> str:
        """Take a token, and return the text that is certain now."""
        self._numbers.append(number)
        return self._give(self._fresh(is_last=False), is_last=False)

    def finish(self) -> str:
        """Return what was held back: no more tokens come."""
        return "" if self.is_stopped else self._give(self._fresh(is_last=True), is_last=True)

    def _fresh(self, *, is_last: bool) -> str:
        new = self._tokenizer.text(self._numbers[self._start :])[len(self._before) :]
        whole = new if is_last else _whole(new)
        fresh = whole[self._sent :]
        self._sent = max(self._sent, len(whole))
        if len(whole) == len(new) and new:
            self._start, self._read, self._sent = self._read, len(self._numbers), 0
            self._before = self._tokenizer.text(self._numbers[self._start :])
        return fresh

    def _give(self, fresh: str, *, is_last: bool) -> str:
        waiting = self._held + fresh
        found = [place for stop in self._stops if (place := waiting.find(stop)) >= 0]
        if found:
            self.is_stopped = True
            given, self._held = waiting[: min(found)], ""
        else:
            held = 0 if is_last else max((_overlap(waiting, stop) for stop in self._stops), default=0)
            given, self._held = waiting[: len(waiting) - held], waiting[len(waiting) - held :]
        self.text += given
        return given


def _whole(text: str) -> str:
    stripped = text.rstrip(HALF)
    return text[: max(len(stripped), len(text) - LONGEST_HALF)]


def _overlap(text: str, stop: str) -> int:
    """Return how many of the last characters of a text are the first ones of a stop text.

    >>> _overlap("so it en", "end")
    2
    """
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
