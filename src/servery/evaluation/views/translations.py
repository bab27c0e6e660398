"""What a report shows of translation: sentences beside their references, and where the model looked."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.evaluation.figure import Figure
from servery.evaluation.mistakes import shown
from servery.evaluation.view import Case, View
from servery.tasks.task import LearnableTask
from servery.tasks.translation import TRANSLATION, TranslationAnswer, TranslationParameters
from servery.tasks.written import Attention, texts_of

MOST_EXAMPLES = 12
MOST_MAPS = 3
MOST_PIECES = 24
"""Of a sentence whose map is drawn, and at least three."""
CELL, LETTER, MARGIN = 26, 8.5, 6
"""Side of a cell, width of a Latin letter and space between labels and cells, in pixels."""


class Translations(View):
    """Examples from the best down to the worst, and maps of attention."""

    name = "translations"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task translates."""
        return task is TRANSLATION

    def look(self, case: Case) -> dict[str, Any]:
        """Return examples spread over all qualities, and where the model looked for a few of middling length."""
        quality = case.task.quality(case.targets, case.outputs, case.predictor.calibration)
        order = np.argsort(-quality, kind="stable")
        places = np.unique(np.linspace(0, len(order) - 1, min(MOST_EXAMPLES, len(order))).round().astype(int))
        said = texts_of(case.outputs)
        examples = [
            {
                "source": shown(case.test, row),
                "reference": case.targets[row],
                "text": said[row],
                "quality": float(quality[row]),
            }
            for row in order[places].tolist()
        ]
        return {"examples": examples, "maps": _maps(case)}

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        maps = [_attention(found["maps"])] if found["maps"] else []
        return [_examples(found["examples"]), *maps]


def _maps(case: Case) -> list[Attention]:
    """Return where the model looked in sentences near the middle of all lengths, none where it has no attention."""
    lengths = np.array(case.predictor.encoder.sizes(list(case.test.examples())))
    fitting = np.flatnonzero((lengths >= 3) & (lengths < MOST_PIECES))
    if not len(fitting):
        return []
    order = fitting[np.argsort(lengths[fitting], kind="stable")]
    shares = np.linspace(0.4, 0.9, MOST_MAPS)
    rows = np.unique(order[(shares * (len(order) - 1)).astype(int)])
    asked = TranslationParameters(attention=True)
    answers = case.predictor.predict([case.test.example(int(row)) for row in rows], asked)
    parts = [part for a in answers if isinstance(a, TranslationAnswer) for part in a.attention or ()]
    return [part for part in parts if len(part.target) <= 2 * MOST_PIECES]


def _examples(examples: Sequence[Mapping[str, Any]]) -> Figure:
    rows = tuple((e["source"], e["reference"], e["text"], f"{e['quality']:.2f}") for e in examples)
    items = "".join(
        f'<li style="margin-bottom: .7em"><span style="color: var(--soft)" dir="auto">{html.escape(source)}</span>'
        f'<br><span dir="auto">{html.escape(text)}</span> <span style="color: var(--soft)">{quality}</span>'
        + (f'<br><span dir="auto"><i>{html.escape(reference)}</i></span>' if reference != text else "")
        + "</li>"
        for source, reference, text, quality in rows
    )
    return Figure(
        "Translations",
        "From the best test row down to the worst, evenly spread: the text, the translation with its chrF, and, where "
        "it differs, the reference in italics.",
        f'<ul style="padding-left: 1.2em">{items}</ul>',
        ("Text", "Reference", "Translation", "chrF"),
        rows,
    )


def _attention(maps: Sequence[Mapping[str, Any]]) -> Figure:
    rows = []
    for found in maps:
        for piece, weights in zip(found["target"], found["weights"], strict=False):
            best = int(np.argmax(weights))
            rows.append((piece, found["source"][best], f"{weights[best]:.2f}"))
    pictures = "".join(_map(found, number) for number, found in enumerate(maps))
    return Figure(
        "Where the model looked",
        "Each line is a piece that was written, each column one that was read; the darker, the more it was looked at. "
        "The last column is the end of the text.",
        pictures,
        ("Written", "Looked at most", "Weight"),
        tuple(rows),
    )


def _map(found: Mapping[str, Any], number: int) -> str:
    """Return one map as an SVG element."""
    source, target = found["source"], found["target"][: len(found["weights"])]
    left, top = (max(map(_width, pieces), default=0.0) + 2 * MARGIN for pieces in (target, source))
    width, height = left + CELL * len(source) + top, top + CELL * len(target)
    parts = []
    for column, piece in enumerate(source):
        x = left + CELL * (column + 0.6)
        turn = f'transform="rotate(-60 {x:.0f} {top - MARGIN:.0f})"'
        parts.append(f'<text x="{x:.0f}" y="{top - MARGIN:.0f}" {turn}>{html.escape(piece.strip())}</text>')
    for line, (piece, weights) in enumerate(zip(target, found["weights"], strict=False)):
        y = top + CELL * line
        place = f'x="{left - MARGIN:.0f}" y="{y + 0.65 * CELL:.0f}"'
        parts.append(f'<text {place} text-anchor="end">{html.escape(piece.strip())}</text>')
        for column, weight in enumerate(weights):
            parts.append(
                f'<rect x="{left + CELL * column:.0f}" y="{y:.0f}" width="{CELL - 2}" height="{CELL - 2}" rx="3" '
                f'fill="var(--accent)" fill-opacity="{0.05 + 0.95 * weight:.2f}"/>'
            )
    title = f"{''.join(source).strip()} - {''.join(target).strip()}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'id="attention-{number}" style="max-width: {width:.0f}px; display: block; margin: 1em 0" font-size="13" '
        f'fill="var(--ink)"><title>{html.escape(title)}</title>{"".join(parts)}</svg>'
    )


def _width(piece: str) -> float:
    return sum(LETTER * (2 if ord(letter) > 0x2E80 else 1) for letter in piece.strip())


TRANSLATIONS = Translations()
