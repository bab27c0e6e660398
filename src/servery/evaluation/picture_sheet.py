"""Rows of small pictures in a report: one PNG with the names of the rows beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec
import numpy as np

from servery.data.pixels import grid_of, png_of

GAP = 2
LEAST_WIDTH = 700
"""CSS pixels that a row of pictures takes, about: each pixel of theirs is shown as several."""
LEFT = 132
"""CSS pixels for the names beside the rows."""


class Sheet(msgspec.Struct, frozen=True):
    """Rows of pictures as the base64 of one PNG, with a name for each row; sizes in its pixels."""

    png: str
    width: int
    height: int
    names: tuple[str, ...]


def sheet_of(rows: Sequence[np.ndarray], names: Sequence[str]) -> Sheet:
    """Return rows of pictures, each uint8, (pictures, channels, height, width), with their names."""
    grid = grid_of([picture for row in rows for picture in row], len(rows[0]), GAP)
    png = base64.b64encode(png_of(grid)).decode("ascii")
    return Sheet(png, grid.shape[2], grid.shape[1], tuple(names))


def drawn_sheet(sheet: Sheet, gaps_after: Sequence[float] = ()) -> str:
    """Return a sheet with the names of its rows, its pixels enlarged and sharp."""
    scale = max(1, round(LEAST_WIDTH / sheet.width))
    width, height = sheet.width * scale, sheet.height * scale
    names = "".join(
        f'<text x="{LEFT - 10}" y="{(place + 0.5) * height / len(sheet.names):.1f}" text-anchor="end" '
        f'dominant-baseline="middle" font-size="12" fill="var(--soft)">{_escaped(name)}</text>'
        for place, name in enumerate(sheet.names)
    )
    lines = "".join(
        f'<line x1="{LEFT + at * scale:.1f}" x2="{LEFT + at * scale:.1f}" y1="0" y2="{height}" '
        'style="stroke: var(--line)"/>'
        for at in gaps_after
    )
    return (
        f'<svg viewBox="0 0 {LEFT + width} {height}" aria-hidden="true" focusable="false" '
        f'style="max-width: {LEFT + width}px">{names}'
        f'<image x="{LEFT}" width="{width}" height="{height}" style="image-rendering: pixelated" '
        f'href="data:image/png;base64,{sheet.png}"/>{lines}</svg>'
    )


def _escaped(text: str) -> str:
    short = text if len(text) <= 18 else f"{text[:17]}…"
    return short.replace("&", "&amp;").replace("<", "&lt;")
