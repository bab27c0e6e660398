"""What a report shows of summarization: what was chosen, marked where it stands, and where in texts it is found."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from servery.data.columns import Kind
from servery.evaluation.figure import Figure
from servery.evaluation.view import Case, View
from servery.models.document import Document
from servery.tasks.passages import best_apart
from servery.tasks.summarization import SUMMARIZATION
from servery.tasks.task import LearnableTask
from servery.tasks.written import Passage, Written, written_of

MOST_EXAMPLES = 10
MOST_CHARACTERS = 1_500
"""Of a text that is shown."""
TENTHS = 10
BAR_HEIGHT, BAR_WIDTH, GAP = 120, 46, 6
"""Of the picture of places, in pixels."""
_MARK = "background: var(--tint); border-bottom: 2px solid var(--accent)"
_NEW = "background: none; border-bottom: 2px dotted var(--bad)"


@dataclass(frozen=True)
class Piece:
    """A piece of a text, and whether it is marked."""

    text: str
    is_marked: bool = False


class Summaries(View):
    """Texts from the best summary down to the worst, and where in the texts the summaries stand."""

    name = "summaries"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task summarizes."""
        return task is SUMMARIZATION

    def look(self, case: Case) -> dict[str, Any]:
        """Return marked texts spread over all qualities, and how many pieces begin in each tenth of a text."""
        quality = case.task.quality(case.targets, case.outputs, case.predictor.calibration)
        column = next(c.name for c in case.test.inputs if c.kind is Kind.TEXT)
        texts = [text or "" for text in case.test[column]]
        short = np.flatnonzero([len(text) <= MOST_CHARACTERS for text in texts])
        order = short[np.argsort(-quality[short], kind="stable")]
        spread = np.linspace(0, len(order) - 1, min(MOST_EXAMPLES, len(order))).round().astype(int)
        found = [written_of(output) for output in case.outputs]
        tenths = np.zeros(TENTHS, np.int64)
        for text, written in zip(texts, found, strict=True):
            for passage in best_apart(written.passages, written.count):
                tenths[min(TENTHS * passage.start // max(len(text), 1), TENTHS - 1)] += 1
        return {
            "examples": [
                _example(texts[row], found[row], case.targets[row], float(quality[row]))
                for row in order[np.unique(spread)].tolist()
            ],
            "tenths": tenths.tolist(),
        }

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        places = [_places(found["tenths"])] if any(found["tenths"]) else []
        return [_examples(found["examples"]), *places]


def _example(text: str, written: Written, references: Sequence[str], quality: float) -> dict[str, Any]:
    summary = written.candidates[0].text
    is_chosen = bool(written.passages)
    return {
        "source": _marked(text, best_apart(written.passages, written.count)) if is_chosen else [Piece(text)],
        "summary": [Piece(summary)] if is_chosen else _new_words(summary, text),
        "references": list(references),
        "quality": quality,
    }


def _marked(text: str, passages: Sequence[Passage]) -> list[Piece]:
    """Cut a text where what was chosen begins and ends."""
    pieces, end = [], 0
    for passage in sorted(passages, key=lambda passage: passage.start):
        pieces += [Piece(text[end : passage.start]), Piece(text[passage.start : passage.end], True)]
        end = passage.end
    return [piece for piece in (*pieces, Piece(text[end:])) if piece.text]


def _new_words(summary: str, text: str) -> list[Piece]:
    """Cut a summary that was written anew, and mark the words that the text does not have."""
    said, known = Document.of(summary), frozenset(Document.of(text).numbers.tolist())
    is_new = said.is_word & np.array([number not in known for number in said.numbers.tolist()], bool)
    cuts = [0, *said.begins[1:].tolist(), len(summary)]
    return [
        Piece("".join(summary[cuts[place] : cuts[place + 1]] for place in places), is_marked)
        for is_marked, places in groupby(range(len(said)), key=is_new.tolist().__getitem__)
    ]


def _examples(examples: Sequence[Mapping[str, Any]]) -> Figure:
    items, rows = [], []
    for example in examples:
        source, summary = (
            _html(example[name], style) for name, style in (("source", _MARK), ("summary", _NEW))
        )
        references = "".join(f'<br><i dir="auto">{html.escape(text)}</i>' for text in example["references"])
        items.append(
            f'<li style="margin-bottom: 1em"><span style="color: var(--soft)" dir="auto">{source}</span><br>'
            f'<b dir="auto">{summary}</b> <span style="color: var(--soft)">{example["quality"]:.2f}</span>'
            f"{references}</li>"
        )
        said = "".join(piece["text"] for piece in example["summary"])
        rows.append((said, " / ".join(example["references"]), f"{example['quality']:.2f}"))
    return Figure(
        "Summaries",
        "From the best test row down to the worst, evenly spread: the text with what was chosen marked in it, the "
        "summary with its ROUGE-L, and the references in italics. Of a summary that was written anew, words that the "
        "text does not have are dotted underneath: look at them twice.",
        f'<ul style="padding-left: 1.2em">{"".join(items)}</ul>',
        ("Summary", "References", "ROUGE-L"),
        tuple(rows),
    )


def _html(pieces: Sequence[Mapping[str, Any]], style: str) -> str:
    return "".join(
        f'<mark style="color: inherit; {style}">{html.escape(piece["text"])}</mark>'
        if piece["is_marked"]
        else html.escape(piece["text"])
        for piece in pieces
    )


def _places(tenths: Sequence[int]) -> Figure:
    most, total = max(tenths), sum(tenths)
    bars = []
    for place, count in enumerate(tenths):
        height, x = BAR_HEIGHT * count / most, place * (BAR_WIDTH + GAP)
        middle = x + BAR_WIDTH / 2
        bars.append(
            f'<rect x="{x}" y="{20 + BAR_HEIGHT - height:.0f}" width="{BAR_WIDTH}" height="{height:.0f}" rx="3" '
            f'fill="var(--accent)"/><text x="{middle}" y="{14 + BAR_HEIGHT - height:.0f}" text-anchor="middle">'
            f'{count / total:.0%}</text><text x="{middle}" y="{BAR_HEIGHT + 38}" text-anchor="middle">'
            f"{place + 1}</text>"
        )
    width, height = TENTHS * (BAR_WIDTH + GAP), BAR_HEIGHT + 44
    return Figure(
        "Where summaries stand",
        f"In which tenth of its text each of {total:,} chosen pieces begins: the first tenth is where the baseline "
        "lead chooses.",
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'style="max-width: {width}px" font-size="12" fill="var(--ink)"><title>Where summaries stand</title>'
        f"{''.join(bars)}</svg>",
        ("Tenth of the text", "Pieces"),
        tuple((str(place + 1), f"{count:,}") for place, count in enumerate(tenths)),
    )


SUMMARIES = Summaries()
