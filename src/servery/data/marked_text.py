"""A text in which two pieces are marked: what is said of the one and the other?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from servery.errors import InputError

_MARK = re.compile(r"<(/?)e([12])>")


@dataclass(frozen=True)
class MarkedText:
    """A text and two pieces of it, each as its first character and the one after its last.

    Attributes:
        text: Without marks.
        head: The piece called e1.
        tail: The piece called e2.
    """

    text: str
    head: tuple[int, int]
    tail: tuple[int, int]

    def __post_init__(self) -> None:
        for name, (start, end) in (("head", self.head), ("tail", self.tail)):
            if not 0 <= start < end <= len(self.text):
                raise InputError(
                    f"The {name} from {start} to {end} is no piece of the text, which has "
                    f"{len(self.text):,} characters.",
                    hint="start counts from 0, end is the place after the last character",
                    param=f"/{name}",
                )
        if self.head[0] < self.tail[1] and self.tail[0] < self.head[1]:
            raise InputError(
                "Head and tail overlap; a relation is asked between two different pieces.", param="/tail"
            )

    def __str__(self) -> str:
        """Return the text with its marks.

        >>> str(MarkedText("Ann met Bo.", (0, 3), (8, 10)))
        '<e1>Ann</e1> met <e2>Bo</e2>.'
        """
        marks = [(self.head, "e1"), (self.tail, "e2")]
        marked = self.text
        for (start, end), name in sorted(marks, reverse=True):
            marked = f"{marked[:start]}<{name}>{marked[start:end]}</{name}>{marked[end:]}"
        return marked

    @property
    def swapped(self) -> MarkedText:
        """The same text with head and tail exchanged."""
        return MarkedText(self.text, self.tail, self.head)

    @property
    def regions(self) -> tuple[str, str, str]:
        """The text before the first piece, between the two, and after the second."""
        first, second = sorted((self.head, self.tail))
        return self.text[: first[0]], self.text[first[1] : second[0]], self.text[second[1] :]


def parse_marked(marked: str) -> MarkedText:
    """Read a text with `<e1>head</e1>` and `<e2>tail</e2>`, in either order.

    Raises:
        InputError: A mark is missing, there twice or out of order, or marks nothing.

    >>> parse_marked("<e2>Bo</e2> met <e1>Ann</e1>.")
    MarkedText(text='Bo met Ann.', head=(7, 10), tail=(0, 2))
    """
    pieces: list[str] = []
    places: dict[str, int] = {}
    last = length = 0
    for mark in _MARK.finditer(marked):
        pieces.append(marked[last : mark.start()])
        length += len(pieces[-1])
        last = mark.end()
        name = f"{mark[1]}e{mark[2]}"
        if name in places:
            raise InputError(f"The mark <{name}> stands in the text twice.", hint=_HINT)
        places[name] = length
    missing = [name for name in ("e1", "/e1", "e2", "/e2") if name not in places]
    if missing:
        raise InputError(f"The text lacks the mark <{missing[0]}>.", hint=_HINT)
    text = "".join([*pieces, marked[last:]])
    return MarkedText(text, (places["e1"], places["/e1"]), (places["e2"], places["/e2"]))


_HINT = "mark the two entities: <e1>Ann</e1> works for <e2>Acme</e2>"
