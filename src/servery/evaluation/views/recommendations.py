"""What a report shows of recommendation: lists with what was taken, new and old users, rare items, scores."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.events import Events
from servery.evaluation import figures
from servery.evaluation.evaluation import Bin
from servery.evaluation.figure import Figure, Key
from servery.evaluation.figures import ACCENT, SOFT, draw
from servery.evaluation.view import Case, View
from servery.metrics.calibration import reliability
from servery.metrics.recommendation import LONG, SHORT, list_measures
from servery.tasks.recommendation import PLACE, SCORE, Recommendation, history_of, hits_of
from servery.tasks.task import LearnableTask

MOST_LISTS = 8
SHOWN_ITEMS = 5
LENGTHS = ((0, 0), (1, 4), (5, 19), (20, 99), (100, None))
"""Events before the moment, from and to: users of whom little is known are measured apart."""
COUNTS = ((0, 0), (1, 9), (10, 49), (50, 199), (200, None))
"""Events of an item in the training part, from and to."""


class Recommendations(View):
    """Lists of test users, metrics by what is known of users and items, and the reliability of scores."""

    name = "recommendations"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task recommends."""
        return isinstance(task, Recommendation)

    def look(self, case: Case) -> dict[str, Any]:
        """Return lists, metrics by length of the history, shares found by how often an item was taken, and bins."""
        hits = hits_of(case.targets, case.outputs)
        relevant = np.array([len(target) - 1 for target in case.targets])
        measures = list_measures(hits, relevant)
        is_known = np.array([target[0] > 0 for target in case.targets], bool)
        first = case.outputs[is_known, :SHORT]
        table = reliability(hits[is_known, :SHORT].ravel(), first[..., SCORE].ravel().astype(np.float64))
        return {
            "lists": _lists(case, hits, measures["ndcg_at_10"]),
            "users": _users(case, measures),
            "items": _items(case, hits),
            "bins": [
                [float(low), float(high), int(count), float(mean), float(share)]
                for low, high, count, mean, share in zip(
                    table.edges[:-1],
                    table.edges[1:],
                    table.counts,
                    table.mean_scores,
                    table.shares_true,
                    strict=True,
                )
                if count
            ],
            "ece": table.ece,
        }

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        shown = [_drawn_lists(found["lists"]), _drawn_users(found["users"]), _drawn_items(found["items"])]
        return [*shown, *([_drawn_bins(found["bins"], found["ece"])] if found["bins"] else [])]


def _lists(case: Case, hits: np.ndarray, ndcg: np.ndarray) -> list[dict[str, Any]]:
    """Return test users from the best served to the worst, evenly spread."""
    history, target = history_of(case.test), case.test.target.name
    labels = case.predictor.signature.labels
    names = _names(case)
    order = np.argsort(-ndcg, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, min(MOST_LISTS, len(order))).round().astype(int))
    found = []
    for row in order[places].tolist():
        before: Events = case.test[history][row] or ()
        line = case.outputs[row, :SHOWN_ITEMS, PLACE].astype(np.int64)
        found.append(
            {
                "before": [names.get(event.item, event.item) for event in before[-SHOWN_ITEMS:]],
                "events": len(before),
                "list": [
                    [names.get(labels[place], labels[place]), bool(hits[row, rank])]
                    for rank, place in enumerate(line.tolist())
                    if place >= 0
                ],
                "taken": len({event.item for event in case.test[target][row]}),
                "ndcg": float(ndcg[row]),
            }
        )
    return found


def _names(case: Case) -> dict[str, str]:
    """Return what items are called, where the data says so."""
    columns = (history_of(case.test), case.test.target.name)
    return {e.item: e.text for name in columns for cell in case.test[name] for e in cell or () if e.text}


def _users(case: Case, measures: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    lengths = np.array([target[0] for target in case.targets])
    found = []
    for low, high in LENGTHS:
        rows = (lengths >= low) & (lengths <= (high if high is not None else lengths.max(initial=0)))
        if rows.any():
            means = {name: float(values[rows].mean()) for name, values in measures.items()}
            found.append({"group": _span(low, high), "users": int(rows.sum()), **means})
    return found


def _items(case: Case, hits: np.ndarray) -> list[dict[str, Any]]:
    """Return how many of the items taken were found, by how often the training part has them."""
    columns = (history_of(case.train), case.train.target.name)
    counts: dict[str, int] = {}
    for name in columns:
        for cell in case.train[name]:
            for event in cell or ():
                counts[event.item] = counts.get(event.item, 0) + 1
    labels, target = case.predictor.signature.labels, case.test.target.name
    taken, was_found = [], []
    for row in range(len(case.test)):
        first = case.outputs[row, :LONG, PLACE].astype(np.int64)
        named = {labels[place] for place in first[hits[row, :LONG]].tolist()}
        for item in {event.item for event in case.test[target][row]}:
            taken.append(counts.get(item, 0))
            was_found.append(item in named)
    often, is_found = np.array(taken), np.array(was_found)
    found = []
    for low, high in COUNTS:
        rows = (often >= low) & (often <= (high if high is not None else often.max(initial=0)))
        if rows.any():
            share = float(is_found[rows].mean())
            found.append({"group": _span(low, high), "taken": int(rows.sum()), "share_found": share})
    return found


def _span(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} or more"
    return "none" if high == 0 else f"{low} to {high}"


def _drawn_lists(lists: Sequence[Mapping[str, Any]]) -> Figure:
    body = "".join(
        f"<tr><td>{_joined(one['before']) or '<i>nothing</i>'}</td><td><ol>"
        + "".join(f"<li>{_marked(name, is_hit)}</li>" for name, is_hit in one["list"])
        + f"</ol></td><td>{one['taken']}</td><td>{one['ndcg']:.2f}</td></tr>"
        for one in lists
    )
    head = "".join(
        f"<th>{name}</th>" for name in ("Latest items before", "Recommended first", "Taken next", "NDCG@10")
    )
    rows = tuple(
        (
            ", ".join(one["before"]),
            ", ".join(f"{name} ✓" if is_hit else name for name, is_hit in one["list"]),
            f"{one['taken']:,}",
            f"{one['ndcg']:.3f}",
        )
        for one in lists
    )
    return Figure(
        "Recommended lists",
        f"{len(lists)} test users, from the best served to the worst: what they took last, and the first "
        f"{SHOWN_ITEMS} items recommended; those taken next are marked.",
        f"<table><tr>{head}</tr>{body}</table>",
        ("Latest items before", "Recommended first", "Items taken next", "NDCG@10"),
        rows,
    )


def _marked(name: str, is_hit: bool) -> str:
    return f"<strong>{html.escape(name)} ✓</strong>" if is_hit else html.escape(name)


def _joined(names: Sequence[str]) -> str:
    return "<br>".join(html.escape(name) for name in names)


def _drawn_users(users: Sequence[Mapping[str, Any]]) -> Figure:
    def paint(axes: Any) -> None:
        places = np.arange(len(users))
        axes.barh(places - 0.2, [one["ndcg_at_10"] for one in users], 0.38, color=ACCENT)
        axes.barh(places + 0.2, [one["recall_at_20"] for one in users], 0.38, color=SOFT)
        axes.set_yticks(places, [one["group"] for one in users])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_ylabel("events before")

    new = next((one for one in users if one["group"] == "none"), None)
    said = "All users of the test part have a history."
    if new is not None:
        said = (
            f"{new['users']:,} of {sum(one['users'] for one in users):,} test users have no history: they get what is "
            f"popular, with an NDCG@10 of {new['ndcg_at_10']:.3f}, and do not count in the figures above."
        )
    columns = ("ndcg_at_10", "recall_at_20", "hit_rate_at_10", "mrr_at_100")
    return Figure(
        "By what is known of the user",
        said,
        draw(paint, 5.2, 0.6 + 0.5 * len(users), "known-users"),
        ("Events before", "Users", "NDCG@10", "Recall@20", "Hit rate@10", "MRR@100"),
        tuple(
            (one["group"], f"{one['users']:,}", *(f"{one[name]:.3f}" for name in columns)) for one in users
        ),
        (Key("NDCG@10"), Key("Recall@20", "soft")),
    )


def _drawn_items(items: Sequence[Mapping[str, Any]]) -> Figure:
    def paint(axes: Any) -> None:
        axes.barh(range(len(items)), [one["share_found"] for one in items], 0.6, color=ACCENT)
        axes.set_yticks(range(len(items)), [one["group"] for one in items])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_ylabel("events in training")

    new = next((one["taken"] for one in items if one["group"] == "none"), 0)
    whole = sum(one["taken"] for one in items)
    return Figure(
        "By what is known of the item",
        f"Share of the items taken next that stand among the first twenty. {new:,} of {whole:,} were of items that the "
        "training part lacks.",
        draw(paint, 5.2, 0.6 + 0.4 * len(items), "known-items"),
        ("Events in training", "Taken next", "Found"),
        tuple((one["group"], f"{one['taken']:,}", f"{one['share_found']:.1%}") for one in items),
    )


def _drawn_bins(bins: Sequence[Sequence[float]], ece: float) -> Figure:
    return Figure(
        "Can scores be read as chances?",
        f"Scores of the first ten items are {ece:.3f} from the share that was taken, on average.",
        figures.reliability(
            [Bin(low, high, int(count), mean, share) for low, high, count, mean, share in bins]
        ),
        ("Score from", "to", "Items", "Mean score", "Taken"),
        tuple((f"{b[0]:.2f}", f"{b[1]:.2f}", f"{int(b[2]):,}", f"{b[3]:.3f}", f"{b[4]:.1%}") for b in bins),
        (Key("as scored", "soft", figures.CHANCE),),
    )


RECOMMENDATIONS = Recommendations()
