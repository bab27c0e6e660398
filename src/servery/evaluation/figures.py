"""Draws a report's pictures as SVG whose colours follow the page, light or dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from servery.evaluation.evaluation import Bin, Comparison, Curve, Metric, Slice, ThresholdRow

# Stand-ins that the page's own colours replace: what matplotlib writes must be a colour it knows.
INK, SOFT, LINE, ACCENT, CARD = "#010203", "#010204", "#010205", "#010206", "#010207"
_VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    CARD: "var(--card)",
}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "servery",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}
DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2), (3, 1), (8, 3))
"""Lengths of strokes and gaps, in line widths: lines differ by them, not by colour alone."""
CHANCE = (2, 3)
"""Strokes and gaps of the lines that only help to compare."""
MOST_CHARACTERS = 18
PIXELS_PER_INCH = 96
"""Of CSS: at its full width a picture's 9-point letters are 12 pixels high."""


def draw(paint: Callable[[Any], None], width: float, height: float, name: str) -> str:
    """Return an SVG element for a page.

    Args:
        paint: Draws on the axes it gets.
        width: In inches; on the page it shrinks with the window.
        height: In inches.
        name: Starts every id, so that pictures on one page do not mix theirs up.
    """
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Texts are drawn by the browser with its own fonts; matplotlib only measures them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas = Canvas(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(canvas)
        paint(canvas.subplots())
        written = io.StringIO()
        canvas.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _for_the_page(written.getvalue(), name, width)


def _for_the_page(svg: str, name: str, width: float) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\1{name}-", svg)
    svg = svg.replace("'DejaVu Sans'", "inherit")
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    opening = f'<svg aria-hidden="true" focusable="false" style="max-width: {width * PIXELS_PER_INCH:.0f}px" '
    return svg.replace("<svg ", opening, 1)


def short(label: str) -> str:
    """Return a label that fits beside an axis; wide characters count twice.

    >>> short("a very long label indeed")
    'a very long label…'
    """
    room = MOST_CHARACTERS
    for place, character in enumerate(label):
        room -= 2 if ord(character) > 0x2E80 else 1
        if room < 0:
            return label[: place - 1] + "…"
    return label


def headline(primary: Metric, comparisons: Sequence[Comparison]) -> str:
    """Draw the model's primary metric with its interval above the baselines."""
    rows = [("this model", primary.value), *((c.baseline, c.value) for c in reversed(comparisons))]

    def paint(axes: Any) -> None:
        for place, (_, value) in enumerate(rows):
            axes.barh(
                place,
                value,
                height=0.42,
                color=ACCENT if place == 0 else SOFT,
                alpha=1 if place == 0 else 0.45,
            )
            axes.text(
                max(value, primary.high or 0 if place == 0 else 0) + 0.015, place, f"{value:.3f}", va="center"
            )
        if primary.low is not None and primary.high is not None:
            axes.plot([primary.low, primary.high], [0, 0], color=INK, linewidth=1.4)
            for end in (primary.low, primary.high):
                axes.plot([end, end], [-0.12, 0.12], color=INK, linewidth=1.4)
        axes.set_yticks(range(len(rows)), [short(name) for name, _ in rows])
        axes.tick_params(axis="y", labelcolor=INK, length=0)
        axes.set_xlim(0, max(1.0, *(value for _, value in rows)) + 0.09)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)

    return draw(paint, 4.8, 0.5 + 0.42 * len(rows), "headline")


def confusion(labels: Sequence[str], matrix: np.ndarray) -> str:
    """Draw shares of each true label, with counts where there is room.

    Args:
        labels: Names, in the order of both axes.
        matrix: Counts, int, (true labels, predicted labels).
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    count = len(labels)
    side = min(7.2, 1.8 + 0.62 * count)

    def paint(axes: Any) -> None:
        for row, column in np.ndindex(matrix.shape):
            share = float(shares[row, column])
            axes.add_patch(
                Rectangle(
                    (column - 0.47, row - 0.47),
                    0.94,
                    0.94,
                    color=ACCENT,
                    alpha=0.06 + 0.82 * share,
                    linewidth=0,
                )
            )
            if count <= 12 and matrix[row, column]:
                colour = CARD if share > 0.55 else INK
                axes.text(column, row, f"{matrix[row, column]:,}", ha="center", va="center", color=colour)
        axes.set_xticks(range(count), [short(label) for label in labels], rotation=0 if count <= 4 else 90)
        axes.set_yticks(range(count), [short(label) for label in labels])
        axes.tick_params(length=0, labelcolor=INK)
        axes.set_xlim(-0.5, count - 0.5)
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)

    return draw(paint, side + 0.6, side, "confusion")


def curves(of: Sequence[Curve], x: str, y: str, name: str, chance: Sequence[Sequence[float]]) -> str:
    """Draw ROC or precision-recall curves, with the line that chance would give."""

    def paint(axes: Any) -> None:
        axes.plot(*chance, color=SOFT, linewidth=0.9, dashes=CHANCE)
        for place, curve in enumerate(of):
            axes.plot(
                curve.x,
                curve.y,
                color=ACCENT if place == 0 else INK,
                dashes=DASHES[place],
                alpha=1 - 0.1 * place,
            )
        _unit_square(axes, x, y)

    return draw(paint, 3.9, 3.6, name)


def reliability(bins: Sequence[Bin]) -> str:
    """Draw the share that came true against the score, and how many scores each bin holds."""
    filled = [b for b in bins if b.mean_score is not None]

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.9, dashes=CHANCE)
        most = max(b.count for b in filled)
        for b in filled:
            axes.bar(
                b.low,
                0.22 * b.count / most,
                b.high - b.low,
                align="edge",
                color=SOFT,
                alpha=0.25,
                linewidth=0,
            )
        axes.plot(
            [b.mean_score for b in filled],
            [b.share_true for b in filled],
            color=ACCENT,
            marker="o",
            markersize=4.5,
        )
        _unit_square(axes, "score", "share that came true")

    return draw(paint, 3.9, 3.6, "reliability")


def thresholds(rows: Sequence[ThresholdRow]) -> str:
    """Draw precision, recall and F1 over the threshold."""
    places = [row.threshold for row in rows]
    lines = {
        "precision": [row.precision for row in rows],
        "recall": [row.recall for row in rows],
        "F1": [row.f1 for row in rows],
    }

    def paint(axes: Any) -> None:
        for place, (name, values) in enumerate(lines.items()):
            axes.plot(places, values, color=ACCENT if name == "F1" else INK, dashes=DASHES[(place + 1) % 3])
        _unit_square(axes, "threshold", "")

    return draw(paint, 3.9, 3.6, "thresholds")


def learning(
    epochs: Sequence[float], name: str, values: Sequence[float], best: float | None, place: int
) -> str:
    """Draw how one value went over the epochs."""

    def paint(axes: Any) -> None:
        axes.plot(
            epochs,
            values,
            color=ACCENT if place else INK,
            marker="o" if len(epochs) <= 30 else "",
            markersize=3,
        )
        if best is not None:
            axes.axvline(best, color=SOFT, linewidth=0.9, dashes=CHANCE)
        axes.set_title(name, fontsize=9, color=SOFT, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)

    return draw(paint, 3.9, 2.6, f"learning-{place}")


def slices(of: Sequence[Slice], overall: float) -> str:
    """Draw each slice's quality with its interval, beside the mean over all rows."""

    def paint(axes: Any) -> None:
        axes.axvline(overall, color=SOFT, linewidth=0.9, dashes=CHANCE)
        for place, part in enumerate(of):
            axes.plot([part.low, part.high], [place, place], color=ACCENT, alpha=0.45, linewidth=3)
            axes.plot([part.quality], [place], color=ACCENT, marker="o", markersize=5)
        axes.set_yticks(range(len(of)), [str(place + 1) for place in range(len(of))])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(len(of) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)

    return draw(paint, 4.8, 0.5 + 0.26 * len(of), "slices")


def folds(values: Sequence[float], mean: float) -> str:
    """Draw the primary metric of each fold and their mean."""

    def paint(axes: Any) -> None:
        axes.axvline(mean, color=SOFT, linewidth=0.9, dashes=CHANCE)
        axes.plot(values, range(len(values)), color=ACCENT, marker="o", markersize=6, linestyle="none")
        axes.set_yticks(range(len(values)), [f"fold {place + 1}" for place in range(len(values))])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.spines["left"].set_visible(False)

    return draw(paint, 4.8, 0.5 + 0.3 * len(values), "folds")


def _unit_square(axes: Any, x: str, y: str) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.03)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel(x)
    axes.set_ylabel(y)
