"""What a report shows of tagging: entities marked in sentences, how well each label is found, what is confused."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from servery.data.columns import Kind
from servery.evaluation import figures
from servery.evaluation.figure import Figure
from servery.evaluation.view import Case, View
from servery.metrics.entities import are_right, count_spans
from servery.tasks.tagging import Tagging, said_spans
from servery.tasks.task import LearnableTask

MOST_SENTENCES = 12
MOST_CHARACTERS = 400
NOTHING = "nothing"
_STYLES = {
    "right": "background: var(--tint); border-bottom: 2px solid var(--accent)",
    "missed": "border: 1.5px dashed var(--bad); border-radius: 3px",
    "wrong": "background: var(--warn); border-bottom: 2px solid var(--bad)",
    "confused": "background: var(--warn); border-bottom: 4px double var(--bad)",
}
_WORDS = {"right": "{truth}", "missed": "{truth}, missed", "wrong": "{said}, wrong"}


@dataclass(frozen=True)
class Piece:
    """A piece of a text: plain, or an entity that was right, missed, wrong, or confused with another."""

    text: str
    kind: str = ""
    truth: str = ""
    said: str = ""


class Entities(View):
    """Sentences with marks, F1 by label, and a table of confusions."""

    name = "entities"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task tags texts."""
        return isinstance(task, Tagging)

    def look(self, case: Case) -> dict[str, Any]:
        """Return marked sentences, counts by label and the confusions."""
        labels, truths, said = (
            case.predictor.signature.labels,
            list(case.targets),
            said_spans(case.outputs, case.predictor.calibration),
        )
        column = next(c.name for c in case.test.inputs if c.kind is Kind.TEXT)
        texts = [text or "" for text in case.test[column]]
        counts = count_spans(truths, said, len(labels))
        matrix, moved = _confusion(truths, said, len(labels))
        found = counts.of_labels()
        columns = (found.precision, found.recall, found.f1, found.support)
        rows = zip(labels, *(values.tolist() for values in columns), strict=True)
        return {
            "labels": [
                dict(zip(("label", "precision", "recall", "f1", "support"), row, strict=True)) for row in rows
            ],
            "confusion": matrix.tolist(),
            "moved": moved,
            "totals": [int(part.sum()) for part in (counts.hits, counts.said, counts.there)],
            "sentences": [
                _pieces(texts[row], truths[row], said[row], labels) for row in _telling(truths, said, texts)
            ],
        }

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        return [_sentences(found), _labels(found), _confusions(found)]


def _telling(truths: Sequence[np.ndarray], said: Sequence[np.ndarray], texts: Sequence[str]) -> list[int]:
    """Return rows to show: of those with a fault twice as many as of those that are right, spread over all."""
    faulty: list[int] = []
    right: list[int] = []
    for row, (truth, guess) in enumerate(zip(truths, said, strict=True)):
        if (len(truth) or len(guess)) and len(texts[row]) <= MOST_CHARACTERS:
            is_right = len(truth) == len(guess) and are_right(truth, guess).all()
            (right if is_right else faulty).append(row)
    few = min(len(right), max(MOST_SENTENCES // 3, MOST_SENTENCES - len(faulty)))
    chosen = [*_spread(right, few), *_spread(faulty, MOST_SENTENCES - few)]
    return sorted(chosen)


def _spread(rows: list[int], most: int) -> list[int]:
    if len(rows) <= most:
        return rows
    return [rows[place] for place in np.linspace(0, len(rows) - 1, most).astype(int)] if most else []


def _pieces(text: str, truth: np.ndarray, said: np.ndarray, labels: Sequence[str]) -> list[Piece]:
    """Cut a text where any span begins or ends."""
    right = set(map(tuple, truth.tolist())) & set(map(tuple, said.tolist()))
    cuts = sorted({0, len(text), *truth[:, :2].flatten().tolist(), *said[:, :2].flatten().tolist()})
    pieces = []
    for start, end in pairwise(cuts):
        held, guessed = _over(truth, start), _over(said, start)
        names = (labels[held[2]] if held else "", labels[guessed[2]] if guessed else "")
        kind = ""
        if held or guessed:
            kind = "right" if held in right and held else "confused" if held and guessed else ""
            kind = kind or ("missed" if held else "wrong")
        pieces.append(Piece(text[start:end], kind, *names))
    return pieces


def _over(spans: np.ndarray, place: int) -> tuple[int, ...]:
    return next((tuple(span) for span in spans.tolist() if span[0] <= place < span[1]), ())


def _confusion(
    truths: Sequence[np.ndarray], said: Sequence[np.ndarray], label_count: int
) -> tuple[np.ndarray, int]:
    """Count true by said labels, the last of both being nothing; and how many had the right label with other ends.

    An entity is compared with the one said that overlaps it most.
    """
    matrix = np.zeros((label_count + 1, label_count + 1), np.int64)
    moved = 0
    for truth, guess in zip(truths, said, strict=True):
        taken: set[int] = set()
        for start, end, label in truth.tolist():
            overlaps = np.minimum(guess[:, 1], end) - np.maximum(guess[:, 0], start)
            overlaps[list(taken)] = 0
            best = int(overlaps.argmax()) if len(overlaps) and overlaps.max() > 0 else -1
            if best < 0:
                matrix[label, label_count] += 1
                continue
            taken.add(best)
            matrix[label, guess[best, 2]] += 1
            moved += guess[best, 2] == label and [start, end] != guess[best, :2].tolist()
        for place, span in enumerate(guess.tolist()):
            matrix[label_count, span[2]] += place not in taken
    return matrix, int(moved)


def _sentences(found: Mapping[str, Any]) -> Figure:
    hits, said, there = found["totals"]
    sentence = (
        f"Of {there:,} entities {hits:,} were found exactly; of {said:,} that the model says {hits:,} are right. "
        "Marked are examples: right ones underlined, missed ones in a dashed box, wrong ones underlined in red, "
        "confused ones doubly."
    )
    marked = "".join(f"<li>{''.join(map(_mark, pieces))}</li>" for pieces in found["sentences"])
    rows = tuple(
        (
            "".join(piece["text"] for piece in pieces),
            _named(pieces, "truth", ("right", "missed", "confused")),
            _named(pieces, "said", ("right", "wrong", "confused")),
        )
        for pieces in found["sentences"]
    )
    style = "list-style: none; margin: 0; padding: 0; display: grid; gap: 0.9rem; line-height: 1.9"
    return Figure(
        "Entities in sentences",
        sentence,
        f'<ul style="{style}">{marked}</ul>',
        ("Text", "True entities", "Said"),
        rows,
    )


def _mark(piece: Mapping[str, str]) -> str:
    text = html.escape(piece["text"])
    if not piece["kind"]:
        return text
    if piece["kind"] == "confused":
        same = piece["truth"] == piece["said"]
        note = f"{piece['truth']}, other ends" if same else f"{piece['truth']}, said {piece['said']}"
    else:
        note = _WORDS[piece["kind"]].format(**piece)
    small = "font-size: 0.75em; color: var(--soft); margin-left: 0.3em; unicode-bidi: isolate"
    # Marks keep their place in texts that run from right to left.
    return (
        f'<mark style="color: inherit; background: none; padding: 0.1em 0.25em; {_STYLES[piece["kind"]]}">'
        f'<bdi>{text}</bdi><span style="{small}">{html.escape(note)}</span></mark>'
    )


def _named(pieces: Sequence[Mapping[str, str]], side: str, kinds: tuple[str, ...]) -> str:
    return "; ".join(f"{piece['text']} ({piece[side]})" for piece in pieces if piece["kind"] in kinds)


def _labels(found: Mapping[str, Any]) -> Figure:
    ranked = sorted(found["labels"], key=lambda row: -row["support"])
    best, worst = (pick(ranked, key=lambda row: row["f1"]) for pick in (max, min))
    sentence = (
        f"Best is {best['label']} with an F1 of {best['f1']:.3f}, weakest {worst['label']} with {worst['f1']:.3f}; "
        f"the most frequent is {ranked[0]['label']} with {ranked[0]['support']:,} entities."
    )

    def paint(axes: Any) -> None:
        for place, row in enumerate(ranked):
            axes.barh(place, row["f1"], height=0.5, color=figures.ACCENT)
            axes.text(row["f1"] + 0.015, place, f"{row['f1']:.2f}", va="center")
        axes.set_yticks(range(len(ranked)), [figures.short(row["label"]) for row in ranked])
        axes.tick_params(axis="y", labelcolor=figures.INK, length=0)
        axes.set_xlim(0, 1.09)
        axes.set_ylim(len(ranked) - 0.5, -0.5)
        axes.set_xlabel("F1")
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)

    return Figure(
        "How well each label is found",
        sentence,
        figures.draw(paint, 4.8, 0.7 + 0.32 * len(ranked), "entity-labels"),
        ("Label", "Entities", "Precision", "Recall", "F1"),
        tuple(
            (
                row["label"],
                f"{row['support']:,}",
                *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1")),
            )
            for row in ranked
        ),
    )


def _confusions(found: Mapping[str, Any]) -> Figure:
    names = [*(row["label"] for row in found["labels"]), NOTHING]
    matrix = np.array(found["confusion"])
    wrong = matrix * ~np.eye(len(names), dtype=bool)
    true, said = np.unravel_index(int(wrong.argmax()), wrong.shape)
    sentence = "No entity was taken for another, missed or made up."
    if wrong.any():
        told = (
            f"{names[true]} taken for {names[said]}" if names[true] != NOTHING else f"{names[said]} made up"
        )
        told = f"{names[true]} missed" if names[said] == NOTHING else told
        sentence = f"The most frequent fault is {told}: {int(wrong[true, said]):,} times."
    if found["moved"]:
        sentence += f" {found['moved']:,} entities were found with the right label but other ends."
    rows = tuple((name, *(f"{n:,}" for n in row)) for name, row in zip(names, matrix.tolist(), strict=True))
    return Figure(
        "What is taken for what",
        sentence,
        figures.confusion(names, matrix),
        ("True \\ said", *names),
        rows,
    )


ENTITIES = Entities()
