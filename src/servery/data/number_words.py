"""Numbers as people write them in commands: digits, and the words for 0 to 100 in English and Chinese."""

from __future__ import annotations

from functools import cache

_ONES = (
    *(
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_CHINESE = "零一二三四五六七八九"
MOST = 100


def digits_of(number: float) -> str:
    """Return the size of a number in digits, without a useless ".0".

    >>> digits_of(-20), digits_of(20.5), digits_of(3.0)
    ('20', '20.5', '3')
    """
    size = abs(number)
    return str(int(size)) if size == int(size) else repr(float(size))


def forms_of(number: float) -> tuple[str, ...]:
    """Return how the size of a number is written in words; empty for fractions and what is over 100.

    >>> forms_of(42), forms_of(15), forms_of(0.5)
    (('forty-two', 'forty two', '四十二'), ('fifteen', '十五'), ())
    """
    size = abs(number)
    return _forms(int(size)) if size == int(size) and size <= MOST else ()


def number_said(piece: str) -> float | None:
    """Return the number that a piece of text says, None if it says none.

    >>> number_said("20.5"), number_said("五十"), number_said("Twenty one"), number_said("max")
    (20.5, 50.0, 21.0, None)
    """
    text = " ".join(piece.casefold().split()).rstrip("%°")
    known = _known().get(text)
    if known is not None:
        return float(known)
    try:
        return float(text) if text[:1].isdigit() and len(text) <= 20 else None
    except ValueError:
        return None


@cache
def _forms(number: int) -> tuple[str, ...]:
    if number == MOST:
        return "one hundred", "hundred", "一百"
    tens, ones = divmod(number, 10)
    if number < len(_ONES):
        english: tuple[str, ...] = (_ONES[number],)
    elif ones:
        english = tuple(f"{_TENS[tens - 2]}{between}{_ONES[ones]}" for between in "- ")
    else:
        english = (_TENS[tens - 2],)
    chinese = ("" if tens <= 1 else _CHINESE[tens]) + ("十" if tens else "")
    chinese += _CHINESE[ones] if ones or not tens else ""
    return *english, chinese, *(("两",) if number == 2 else ())


@cache
def _known() -> dict[str, int]:
    return {form: number for number in range(MOST + 1) for form in _forms(number)}
