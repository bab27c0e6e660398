"""What a report shows of relation extraction: marked sentences with the words that decide, and F1 by relation."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.evaluation.figure import Figure
from servery.evaluation.view import Case, View
from servery.metrics.classification import confusion_matrix
from servery.metrics.relations import base_of, groups_of, is_none, per_relation
from servery.models.explanation import Inquiry
from servery.tasks.form import form_for
from servery.tasks.relation_extraction import RelationExtraction
from servery.tasks.task import LearnableTask

MOST_SENTENCES = 12
LONGEST = 300
"""Characters; of longer sentences the explanation would ask the model too often."""


class Relations(View):
    """Sentences with their entities and the words that speak for the answer; precision, recall and F1 by relation."""

    name = "relations"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task tells what connects two entities."""
        return isinstance(task, RelationExtraction)

    def look(self, case: Case) -> dict[str, Any]:
        """Return sentences with the effect of each word, and the counts of each relation."""
        labels, outputs = case.predictor.signature.labels, case.outputs
        groups = groups_of(labels)
        said = outputs.argmax(axis=1)
        found = per_relation(confusion_matrix(case.targets, said, len(labels)), groups)
        names = sorted({base_of(label) for label in labels if not is_none(label)})
        columns = (found.precision, found.recall, found.f1, found.support)
        turned = (groups[said] == groups[case.targets]) & (said != case.targets) & (groups[said] >= 0)
        return {
            "relations": [
                dict(zip(("relation", "precision", "recall", "f1", "support"), row, strict=True))
                for row in zip(names, *(column.tolist() for column in columns), strict=True)
            ],
            "turned": int(turned.sum()),
            "sentences": _sentences(case, said),
        }

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        words = [_words(found["sentences"])] if found["sentences"] else []
        return [_by_relation(found["relations"], found["turned"]), *words]


def _sentences(case: Case, said: np.ndarray) -> list[dict[str, Any]]:
    """Return test sentences, rightly and wrongly answered in turn, with what each word does to the answer's score."""
    name = case.test.inputs[0].name
    short = np.array([len(text or "") <= LONGEST for text in case.test[name]])
    right, wrong = (np.flatnonzero(short & mask) for mask in (said == case.targets, said != case.targets))
    chosen = [*right[: MOST_SENTENCES // 2].tolist(), *wrong[: MOST_SENTENCES // 2].tolist()]
    if not chosen:
        return []
    signature = case.predictor.signature
    examples = [case.test.example(row) for row in chosen]
    inquiry = Inquiry.into(examples, form_for(signature.kinds), signature)
    answers = case.predictor.decode(case.predictor.outputs(inquiry.examples))
    explained = inquiry.explanations(case.predictor.task, answers, None)
    return [
        {
            "text": case.test[name][row],
            "truth": signature.labels[case.targets[row]],
            "said": explanation.label,
            "score": explanation.score,
            "effects": [
                [effect.part.start, effect.part.end, effect.effect] for effect in explanation.effects
            ],
        }
        for row, explanation in zip(chosen, explained, strict=True)
    ]


def _by_relation(relations: Sequence[Mapping[str, Any]], turned: int) -> Figure:
    rows = tuple(
        (
            r["relation"],
            f"{r['support']:,}",
            *(f"{r[column]:.3f}" for column in ("precision", "recall", "f1")),
        )
        for r in sorted(relations, key=lambda r: -r["f1"])
    )
    sentence = (
        f"Best found is {rows[0][0]} with an F1 of {rows[0][-1]}, worst {rows[-1][0]} with {rows[-1][-1]}; in "
        f"{turned:,} rows the relation was right and its direction wrong, which counts as a mistake."
        if rows
        else "There is no relation."
    )
    headings = ("Relation", "Rows", "Precision", "Recall", "F1")
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    head = "".join(f"<th>{name}</th>" for name in headings)
    return Figure("By relation", sentence, f"<table><tr>{head}</tr>{body}</table>", headings, rows)


def _words(sentences: Sequence[Mapping[str, Any]]) -> Figure:
    items = "".join(
        f'<li style="margin-bottom: .7em" dir="auto">{_weighed(s["text"], s["effects"])}<br>'
        f'<span style="color: var(--soft)">said {html.escape(s["said"])} ({s["score"]:.2f})'
        + (f", truly {html.escape(s['truth'])}" if s["truth"] != s["said"] else "")
        + "</span></li>"
        for s in sentences
    )
    rows = tuple((s["text"], s["truth"], s["said"], f"{s['score']:.2f}", _strongest(s)) for s in sentences)
    return Figure(
        "Which words decide",
        "The darker a word, the more the score of what was said falls without it; a word with a dashed line speaks "
        "against it. The entities are in bold.",
        f'<ul style="padding-left: 1.2em">{items}</ul>',
        ("Sentence", "Truth", "Said", "Score", "Words that count most"),
        rows,
    )


def _weighed(text: str, effects: Sequence[Sequence[Any]]) -> str:
    """Return a sentence as HTML: entities in bold, each word shaded by its effect."""
    most = max((abs(effect) for _, _, effect in effects), default=0.0) or 1.0
    pieces, last = [], 0
    for start, end, effect in effects:
        pieces.append(html.escape(text[last:start]))
        share = abs(effect) / most
        style = (
            f"background: color-mix(in srgb, var(--accent) {55 * share:.0f}%, transparent)"
            if effect > 0
            else f"border-bottom: {2 * share:.1f}px dashed var(--bad)"
        )
        pieces.append(f'<span style="{style}">{html.escape(text[start:end])}</span>')
        last = end
    marked = "".join([*pieces, html.escape(text[last:])])
    for name in ("e1", "e2"):
        marked = marked.replace(f"&lt;{name}&gt;", "<b>").replace(
            f"&lt;/{name}&gt;", f"</b><sub>{name}</sub>"
        )
    return marked


def _strongest(sentence: Mapping[str, Any]) -> str:
    effects = sorted(sentence["effects"], key=lambda effect: -abs(effect[2]))[:3]
    return ", ".join(f"{sentence['text'][start:end]} {effect:+.2f}" for start, end, effect in effects)


RELATIONS = Relations()
