"""Draws proposed designs: what is wanted of them against each other, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from servery.evaluation.figures import ACCENT, SOFT, draw
from servery.evaluation.node_link import ALONE

INCHES = (6.0, 4.0)


def draw_designs(candidates: Sequence[Mapping[str, Any]], objectives: Mapping[str, str]) -> str:
    """Return an SVG of its own: the first two objectives as axes, one alone beside the designs' numbers.

    Filled marks are designs of the best front, open ones others; crosses do not keep the limits for sure.

    Args:
        candidates: As a designer answers them, plain JSON types.
        objectives: Quantity to "min" or "max".
    """
    wanted = list(objectives)[:2]

    def paint(axes: Any) -> None:
        for number, candidate in enumerate(candidates, 1):
            said = [candidate["predicted"][quantity] for quantity in wanted]
            places = [one["value"] for one in said]
            reaches = [_reach(one) for one in said]
            if len(wanted) == 1:
                places, reaches = [float(number), *places], [(0.0, 0.0), *reaches]
            mark = "o" if candidate["is_feasible"] else "x"
            fill = ACCENT if candidate["is_on_front"] and mark == "o" else "none"
            xerr, yerr = ([[low], [high]] for low, high in reaches)
            axes.errorbar(*places, yerr=yerr, xerr=xerr, fmt="none", ecolor=SOFT, elinewidth=0.7)
            face = {} if mark == "x" else {"facecolors": fill, "edgecolors": ACCENT}
            axes.scatter(*places, marker=mark, s=28, zorder=3, **(face or {"color": SOFT}))
            axes.annotate(str(number), places, textcoords="offset points", xytext=(5, 4), fontsize=8)
        axes.set_xlabel(wanted[0] if len(wanted) == 2 else "design")
        axes.set_ylabel(wanted[-1])

    svg = draw(paint, *INCHES, "designs")
    return svg.replace('style="', f'style="{ALONE};background:var(--card);', 1)


def _reach(said: Mapping[str, Any]) -> tuple[float, float]:
    if said["low"] is None:
        return 0.0, 0.0
    return max(said["value"] - said["low"], 0.0), max(said["high"] - said["value"], 0.0)
