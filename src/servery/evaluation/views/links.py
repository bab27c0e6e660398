"""What a report shows of link prediction: predicted tails as a picture, ranks, and how well each relation goes."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.triple_files import HEAD, RELATION, TAIL
from servery.evaluation import figures
from servery.evaluation.figure import Figure, Key
from servery.evaluation.node_link import Link, draw_graph
from servery.evaluation.view import Case, View
from servery.metrics.link_ranking import ranking_metrics
from servery.tasks.link_prediction import (
    LinkAnswer,
    LinkParameters,
    LinkPrediction,
    filtered_ranks,
    triple_rows,
)
from servery.tasks.task import LearnableTask

MOST_TRIPLES = 14
MOST_RELATIONS = 40
RANK_STEPS = (1, 3, 10, 30, 100, 300, 1000)


class Links(View):
    """Test triples with the tails that were predicted for them, ranks, metrics by relation."""

    name = "links"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task completes triples."""
        return isinstance(task, LinkPrediction)

    def look(self, case: Case) -> dict[str, Any]:
        """Return triples with predictions, counts of ranks, and metrics by relation."""
        ranks = filtered_ranks(case.targets, triple_rows(case.outputs))
        right = case.task.judge(case.targets, case.outputs, case.predictor.calibration)
        facts = np.flatnonzero(case.targets[:, 3] == 1)
        return {
            "triples": _triples(case, facts, ranks),
            "ranks": [
                {
                    "up_to": up_to,
                    **{side: _share(ranks[facts, place], up_to) for place, side in ((0, TAIL), (1, HEAD))},
                }
                for up_to in RANK_STEPS
            ],
            "relations": [
                {
                    "relation": str(relation),
                    "facts": len(kept := np.intersect1d(rows, facts)),
                    "tail_mrr": ranking_metrics(ranks[kept, 0])["mrr"],
                    "head_mrr": ranking_metrics(ranks[kept, 1])["mrr"],
                    "hits_at_10": ranking_metrics(ranks[kept].ravel())["hits_at_10"],
                    "accuracy": right.measure(rows)["triple_accuracy"],
                }
                for relation, rows in _by_relation(case)
            ],
        }

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        pictures = [_picture(found["triples"])] if found["triples"] else []
        return [*pictures, _ranks(found["ranks"]), _relations(found["relations"])]


def _by_relation(case: Case) -> list[tuple[str, np.ndarray]]:
    """Return the most frequent relations of the test rows with their rows."""
    names, counts = np.unique(case.test[RELATION].astype(str), return_counts=True)
    chosen = names[np.argsort(-counts, kind="stable")[:MOST_RELATIONS]]
    return [(name, np.flatnonzero(case.test[RELATION].astype(str) == name)) for name in chosen.tolist()]


def _share(ranks: np.ndarray, up_to: int) -> float:
    return float((ranks <= up_to).mean()) if len(ranks) else 0.0


def _triples(case: Case, facts: np.ndarray, ranks: np.ndarray) -> list[dict[str, Any]]:
    """Return test facts from the best ranked to the worst, evenly spread, each with the best tails left to predict."""
    known = set(case.predictor.signature.labels)
    rows = [row for row in facts.tolist() if {case.test[c][row] for c in (HEAD, RELATION, TAIL)} <= known]
    rows.sort(key=lambda row: ranks[row, 0])
    places = np.unique(np.linspace(0, len(rows) - 1, min(MOST_TRIPLES, len(rows))).round().astype(int))
    chosen = [case.test.example(rows[place]) for place in places.tolist()]
    asked = LinkParameters(top_k=3, exclude_known=True)
    answers = case.predictor.predict([{**triple, TAIL: None} for triple in chosen], asked) if chosen else []
    return [
        {
            **triple,
            "rank": float(ranks[rows[place], 0]),
            "predicted": [[c.name, c.score] for c in answer.candidates]
            if isinstance(answer, LinkAnswer)
            else [],
        }
        for place, triple, answer in zip(places.tolist(), chosen, answers, strict=True)
    ]


def _picture(triples: Sequence[Mapping[str, Any]]) -> Figure:
    links = []
    for triple in triples:
        said = triple["predicted"][0][0] if triple["predicted"] else ""
        is_right = said == triple[TAIL]
        links.append(Link(triple[HEAD], triple[RELATION], triple[TAIL], "right" if is_right else "fact"))
        if said and not is_right:
            links.append(Link(triple[HEAD], triple[RELATION], said, "wrong"))
    found = sum(link.kind == "right" for link in links)
    rows = tuple(
        (
            triple[HEAD],
            triple[RELATION],
            triple[TAIL],
            f"{triple['rank']:g}",
            ", ".join(f"{name} {score:.2f}" for name, score in triple["predicted"]),
        )
        for triple in triples
    )
    return Figure(
        "Predicted facts",
        f"{len(triples)} facts of the test part, from the best ranked to the worst: of {found} the tail was the first "
        "guess. Known facts were left out of the guesses.",
        draw_graph(links, "links"),
        ("Head", "Relation", "Tail", "Rank of the tail", "Best guesses"),
        rows,
        (
            Key("fact, guessed first"),
            Key("fact, not guessed first", "soft"),
            Key("first guess that is no fact of the data", "ink", figures.DASHES[1]),
        ),
    )


def _ranks(ranks: Sequence[Mapping[str, Any]]) -> Figure:
    rows = tuple((f"{r['up_to']:,}", f"{r[TAIL]:.1%}", f"{r[HEAD]:.1%}") for r in ranks)
    within = next(r for r in ranks if r["up_to"] == 10)
    bars = "".join(
        f"<tr><td>rank up to {r['up_to']:,}</td>"
        + "".join(
            f'<td style="min-width: 12em">'
            f'<div style="background: var(--{colour}); height: .8em; width: {100 * r[side]:.1f}%">'
            f"</div></td><td>{html.escape(side)} {r[side]:.1%}</td>"
            for side, colour in ((TAIL, "accent"), (HEAD, "soft"))
        )
        + "</tr>"
        for r in ranks
    )
    return Figure(
        "Ranks",
        f"The right tail is among the first ten for {within[TAIL]:.1%} of the facts, the right head for "
        f"{within[HEAD]:.1%}: "
        "one head often has one tail, but one tail has many heads.",
        f"<table>{bars}</table>",
        ("Rank up to", "Share of tails", "Share of heads"),
        rows,
    )


def _relations(relations: Sequence[Mapping[str, Any]]) -> Figure:
    ordered = sorted(relations, key=lambda r: -r["facts"])
    weakest = min(ordered, key=lambda r: (r["tail_mrr"] + r["head_mrr"]) / 2, default=None)
    sentence = "There is no relation."
    if weakest is not None:
        sentence = (
            f"Weakest is {weakest['relation']}, with a mean reciprocal rank of {weakest['tail_mrr']:.3f} for tails and "
            f"{weakest['head_mrr']:.3f} for heads."
        )
    columns = ("facts", "tail_mrr", "head_mrr", "hits_at_10", "accuracy")
    rows = tuple(
        (r["relation"], f"{r['facts']:,}", *(f"{r[column]:.3f}" for column in columns[1:])) for r in ordered
    )
    headings = ("Relation", "Facts", "MRR of tails", "MRR of heads", "Hits at 10", "Triples judged rightly")
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[:15]
    )
    head = "".join(f"<th>{name}</th>" for name in headings)
    return Figure("By relation", sentence, f"<table><tr>{head}</tr>{body}</table>", headings, rows)


LINKS = Links()
