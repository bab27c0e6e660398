"""Draws what curves.py measured: score against training rows and against seconds, one SVG a field.

Run: python benchmarks/recipes/draw.py benchmarks/recipes/results/*.json
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
COLOURS = ("#0b6e5f", "#1d2330", "#b06d00", "#7a4fa3", "#2f6db3", "#a3262a", "#6b7280")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def main() -> None:
    rows = [row for path in sys.argv[1:] for row in json.loads(Path(path).read_text())]
    FIGURES.mkdir(exist_ok=True)
    for (field, data, metric), group in groupby(rows, lambda r: (r["field"], r["data"], r["metric"])):
        path = FIGURES / f"curves-{field}.svg"
        draw(list(group), f"{data}: validation {metric}", path)
        sys.stderr.write(f"{path.name} written\n")


def draw(rows: list[dict[str, Any]], title: str, path: Path) -> None:
    """Draw two panels: a point for each size of the training part, and each training's way over time."""
    plt.rcParams.update({"svg.hashsalt": "servery", "svg.fonttype": "none", "font.size": 9})
    figure, (by_rows, by_time) = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for place, (recipe, group) in enumerate(groupby(rows, lambda r: r["recipe"])):
        points = list(group)
        style = {"color": COLOURS[place % 7], "marker": MARKERS[place % 7], "markersize": 4, "linewidth": 1.2}
        by_rows.plot([p["rows"] for p in points], [p["validation"] for p in points], label=recipe, **style)
        last = points[-1]
        way = last["history"] or [[last["seconds"], last["validation"]]]
        by_time.plot([step[0] for step in way], [step[1] for step in way], **style)
    by_rows.set(xscale="log", xlabel="training rows", ylabel="validation score", title="learning curve")
    by_time.set(xscale="log", xlabel="seconds of fit, one thread", title="on all rows, over time")
    for axes in (by_rows, by_time):
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    figure.legend(loc="center right", frameon=False)
    figure.subplots_adjust(right=0.84, top=0.84, bottom=0.16, left=0.08, wspace=0.08)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
