"""One figure of a report: a title, a sentence with the numbers, a picture and the table behind it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a name, a colour of the page ("accent", "ink", "soft") and strokes and gaps."""

    name: str
    colour: str = "accent"
    dashes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One figure of the report."""

    title: str
    sentence: str
    svg: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[Key, ...] = ()
