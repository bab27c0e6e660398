"""Recommendation: which items will this user or session take next, and why?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.events import Events
from servery.data.raw_table import object_array
from servery.errors import DataError
from servery.metrics.calibration import BINS
from servery.metrics.recommendation import SHORT, list_measures
from servery.tasks.task import Answer, Calibration, Judgement, LearnableTask, Parameters

MEASURED_ITEMS = 100
"""Length of the lists that data sets are measured by; each is the best of all items, never of a sample of them."""
REASONS = 3
"""Reasons of one item at most."""
PLACE, SCORE, BASIS, UNKNOWN, REASON = 0, 1, 2, 3, 4
LINE_NUMBERS = REASON + 2 * REASONS
"""Numbers of one recommended item: its place among the labels, -1 for none; its score; how it was found; how many
events were of unknown items; then pairs of a reason's item, -1 for none, and its weight."""
BY_HISTORY, BY_POPULARITY = 0, 1
_BASES = {BY_HISTORY: "history", BY_POPULARITY: "popularity"}


class RecommendationParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        top_k: Items of an answer, at most.
        exclude_seen: Leaves out the items of the history.
        candidates: Items to choose among; None for all.
        explain: Whether each item says which of the history's items speak for it.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    exclude_seen: bool = False
    candidates: (
        Annotated[tuple[Annotated[str, msgspec.Meta(max_length=1000)], ...], msgspec.Meta(max_length=10_000)]
        | None
    ) = None
    explain: bool = False


class Reason(msgspec.Struct, frozen=True):
    """An item of the history that speaks for a recommended one, and its share of all that does."""

    item_id: str
    weight: float
    kind: str = "because_of_item"


class Recommended(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item, the chance that it is taken, and the reasons."""

    item_id: str
    score: float
    reasons: tuple[Reason, ...] = ()


class RecommendationAnswer(Answer, frozen=True, omit_defaults=True):
    """The best items.

    Attributes:
        items: From the best down.
        basis: "history", or "popularity" where nothing is known of the user.
        unknown_events: Events of the history whose items the model has never met.
    """

    items: tuple[Recommended, ...]
    basis: str = "history"
    unknown_events: int = 0


class Recommendation(LearnableTask):
    """The items that come next.

    `outputs` are lists of items, (rows, items, `LINE_NUMBERS`). `targets` are objects, int64 arrays: the number of
    events before, then the places of the items taken next, -1 where it is no label's. Labels are the items.

    Args:
        item_count: Items that can be recommended; the share of them that is recommended to anybody is measured.
    """

    name = "recommendation"
    title = {"en": "Recommendation", "zh": "推荐"}
    summary = "Which items will this user or session take next?"
    primary_metric = "ndcg_at_10"
    quality_title = "NDCG@10 of a user's list"
    has_calibration = False
    parameters = RecommendationParameters
    answer = RecommendationAnswer

    def __init__(self, item_count: int = 0) -> None:
        self.item_count = item_count

    def with_labels(self, labels: Sequence[str]) -> Recommendation:
        """Return the task of a model with these items."""
        return Recommendation(len(labels))

    def accepts(self, target: Column) -> bool:
        """Whether the target is what users did next."""
        return target.kind is Kind.EVENTS

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the items that anybody met before or next, sorted."""
        columns = (history_of(dataset), dataset.target.name)
        return tuple(
            sorted({event.item for name in columns for cell in dataset[name] for event in cell or ()})
        )

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return how long each history is and which items came next, objects, (rows,).

        Raises:
            DataError: The data set has no history.
        """
        places = {item: place for place, item in enumerate(labels)}
        lengths = [len(cell or ()) for cell in dataset[history_of(dataset)]]
        return object_array(
            [
                np.array([length, *_places(cell, places)], np.int64)
                for length, cell in zip(lengths, dataset[dataset.target.name], strict=True)
            ]
        )

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return the metrics of users with a history, and NDCG of those without."""
        return self.judge(targets, outputs, calibration).measure(np.arange(len(targets)))

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Return what each list is worth, counted once for all choices of rows."""
        measures = list_measures(hits_of(targets, outputs), _taken(targets))
        is_known = np.array([target[0] > 0 for target in targets], bool)
        first = outputs[:, :SHORT]
        misses = _binned(first[..., SCORE], hits_of(targets, first))
        return _ListJudgement(is_known, measures, first[..., PLACE].astype(np.int64), misses, self.item_count)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return the NDCG@10 of each list."""
        return list_measures(hits_of(targets, outputs), _taken(targets))["ndcg_at_10"]

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return lists of items drawn blindly, the same for everybody; what is popular is a recipe of its own."""
        count = min(label_count, MEASURED_ITEMS)
        line = np.full((count, LINE_NUMBERS), -1.0, np.float32)
        line[:, PLACE] = np.random.default_rng(0).permutation(label_count)[:count]
        line[:, SCORE:REASON] = (1.0 / max(label_count, 1), BY_POPULARITY, 0.0)
        return np.tile(line, (rows, 1, 1))

    def aligned(
        self, outputs: np.ndarray, calibration: Calibration, known: Sequence[str], labels: Sequence[str]
    ) -> tuple[np.ndarray, Calibration]:
        """Return lists of a model that numbers the items otherwise."""
        numbers = {item: place for place, item in enumerate(labels)}
        places = np.array([*(numbers.get(item, -1) for item in known), -1], np.float32)
        changed = outputs.copy()
        changed[..., PLACE] = places[outputs[..., PLACE].astype(np.int64)]
        return changed, calibration

    def prepared(self, examples: list[dict[str, Any]], parameters: Parameters) -> list[dict[str, Any]]:
        """Return the examples with what decides which items are looked at."""
        assert isinstance(parameters, RecommendationParameters)
        wanted = {name: getattr(parameters, name) for name in parameters.__struct_fields__}
        return [{**example, "wanted": wanted} for example in examples]

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return the items of each list."""
        assert isinstance(parameters, RecommendationParameters)
        return [_answer(row[: parameters.top_k], labels, parameters.explain) for row in outputs]

    def notices(self, answers: Sequence[Answer]) -> Mapping[str, str]:
        """Return that somebody's answer is what is popular, and that items are unknown."""
        found = [answer for answer in answers if isinstance(answer, RecommendationAnswer)]
        cold = sum(answer.basis == _BASES[BY_POPULARITY] for answer in found)
        unknown = sum(answer.unknown_events for answer in found)
        told = {}
        if cold:
            told["cold_start"] = (
                f"Nothing is known of the user in {cold} of {len(found)} questions: the answer is what is popular."
            )
        if unknown:
            told["unknown_items"] = (
                f"{unknown} events are of items that the model has never met; they do not count."
            )
        return told

    def best_label(self, answer: Any) -> str:
        """Return the first item."""
        return str(answer.items[0].item_id) if answer.items else ""

    def score_of(self, answer: Any, label: str) -> float:
        """Return the score of an item, 0 where it is not in the answer."""
        return next((float(item.score) for item in answer.items if item.item_id == label), 0.0)

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "recommendation"; the Hub has no such task yet."""
        return "recommendation"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of items a question."""
        rows = [
            msgspec.to_builtins(answer.items)
            for answer in answers
            if isinstance(answer, RecommendationAnswer)
        ]
        rows = [list(row) for row in rows]
        return rows if is_batch else rows[0]


@dataclass(frozen=True)
class _ListJudgement:
    """Of each row, and how many items there are.

    Attributes:
        is_known: Does it have a history, (rows,).
        measures: What its list is worth, (rows,) each.
        first: Places of its first items, (rows, 10).
        misses: Scores less hits of its first items, summed by bins of the score, (rows, bins).
        item_count: Items that can be recommended.
    """

    is_known: np.ndarray
    measures: Mapping[str, np.ndarray]
    first: np.ndarray
    misses: np.ndarray
    item_count: int

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows."""
        known, cold = rows[self.is_known[rows]], rows[~self.is_known[rows]]
        found = {name: _mean(values[known]) for name, values in self.measures.items()}
        named = np.unique(self.first[known])
        found["catalogue_coverage"] = float((named >= 0).sum()) / max(self.item_count, 1)
        found["ece"] = float(np.abs(self.misses[known].sum(axis=0)).sum()) / max(self.first[known].size, 1)
        if len(cold):
            found["cold_ndcg_at_10"] = _mean(self.measures["ndcg_at_10"][cold])
            found["cold_recall_at_20"] = _mean(self.measures["recall_at_20"][cold])
        return found

    def primary(self, rows: np.ndarray) -> float:
        """Return the NDCG@10 of users with a history."""
        return _mean(self.measures["ndcg_at_10"][rows[self.is_known[rows]]])


def history_of(dataset: Dataset) -> str:
    """Return the name of the input column with what users did before.

    Raises:
        DataError: There is none.
    """
    for column in dataset.inputs:
        if column.kind is Kind.EVENTS:
            return column.name
    raise DataError(
        f"{dataset.source.name} has no column of events to recommend by; its inputs are "
        f"{', '.join(f'{c.name!r} ({c.kind})' for c in dataset.inputs)}.",
        hint="bring a log with a line an event: user_id, item_id, timestamp",
        param="data",
    )


def hits_of(targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return which items of the lists came next, bool, (rows, items)."""
    places = outputs[..., PLACE].astype(np.int64)
    hits = [np.isin(row, target[1:]) & (row >= 0) for row, target in zip(places, targets, strict=True)]
    return np.array(hits, bool).reshape(places.shape)


def _places(cell: Events | None, places: Mapping[str, int]) -> list[int]:
    # An item taken twice counts once; one that no list can name counts as missed.
    return [places.get(item, -1) for item in sorted({event.item for event in cell or ()})]


def _binned(scores: np.ndarray, is_hit: np.ndarray) -> np.ndarray:
    """Return scores less hits, summed by bins of the score, (rows, `BINS`); the calibration error is made of them."""
    bins = np.clip((scores * BINS).astype(np.int64), 0, BINS - 1)  # (rows, items)
    misses = np.zeros((len(scores), BINS))
    np.add.at(misses, (np.arange(len(scores))[:, None], bins), scores.astype(np.float64) - is_hit)
    return misses


def _taken(targets: np.ndarray) -> np.ndarray:
    return np.array([len(target) - 1 for target in targets], np.int64)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _answer(lines: np.ndarray, labels: Sequence[str], explain: bool) -> RecommendationAnswer:
    kept = lines[lines[:, PLACE] >= 0]
    items = tuple(
        Recommended(
            labels[int(line[PLACE])],
            float(line[SCORE]),
            tuple(
                Reason(labels[int(place)], float(weight))
                for place, weight in line[REASON:].reshape(-1, 2)
                if place >= 0
            )
            if explain
            else (),
        )
        for line in kept
    )
    basis, unknown = (int(lines[0, column]) if len(lines) else 0 for column in (BASIS, UNKNOWN))
    return RecommendationAnswer(items, _BASES[basis], unknown)


RECOMMENDATION = Recommendation()
