"""What the recipes of recommendation have in common: the log as numbers, popularity, chances, learning twice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.events import Events, in_order
from servery.errors import DataError
from servery.models.encoders.histories import DAY, Histories
from servery.models.families._assembly import assemble
from servery.models.predictor import Predictor
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.recommender import Recommender
from servery.tasks.recommendation import BASIS, BY_HISTORY, PLACE, SCORE, history_of, hits_of
from servery.tasks.task import Calibration

FORM = "history"
TASKS = frozenset({"recommendation"})
FALLBACK_DAYS = 30.0
"""Half-life of the popularity that answers for users of whom nothing is known."""
MOST_KNOTS = 64
SHOWN_EVENTS = 3
"""Events of the example that goes with a model."""
_BASE_BYTES = 200 * 2**20
_EVENT_BYTES = 400


@dataclass(frozen=True)
class EventLog:
    """What users did, each event once.

    Attributes:
        histories: User to events in the order of time; a session without a user has a name of its own.
        items: Names, in the order of their numbers.
        users: Number of the user of each event, (events,).
        numbers: Number of its item, (events,).
        days: Its time in days since 1970; of an event without a time that of the last one there is, (events,).
        texts: What each item is called, empty where nobody says.
    """

    histories: Mapping[str, Events]
    items: tuple[str, ...]
    users: np.ndarray
    numbers: np.ndarray
    days: np.ndarray
    texts: tuple[str, ...]

    @property
    def user_count(self) -> int:
        """Users and sessions."""
        return len(self.histories)

    def taken(self) -> Any:
        """Return who took what, each pair once, sparse, float32, (users, items)."""
        counts = self.counted()
        counts.data[:] = 1.0
        return counts

    def counted(self) -> Any:
        """Return how often each user took each item, sparse, float32, (users, items)."""
        ones = np.ones(len(self.users), np.float32)
        shape = (self.user_count, len(self.items))
        return sparse.csr_matrix((ones, (self.users, self.numbers)), shape)

    def popularity(self, half_life_days: float) -> np.ndarray:
        """Return the share of the users who took each item, recent ones counting more, float32, (items,)."""
        ages = self.days.max(initial=0.0) - self.days
        weights = np.exp2(-ages / half_life_days) if half_life_days else np.ones(len(ages))
        # Of what a user took twice the latest time counts.
        pairs = sparse.csr_matrix((self.user_count, len(self.items)), dtype=np.float64)
        if len(weights):
            order = np.lexsort((weights, self.numbers, self.users))
            last = np.append((np.diff(self.users[order]) != 0) | (np.diff(self.numbers[order]) != 0), True)
            kept = order[last]
            pairs = sparse.csr_matrix((weights[kept], (self.users[kept], self.numbers[kept])), pairs.shape)
        active = np.asarray(pairs.max(axis=1).todense()).sum() if len(weights) else 1.0
        return np.asarray(pairs.sum(axis=0) / max(active, 1e-12), np.float32).ravel()


def read_log(*datasets: Dataset) -> EventLog:
    """Return the events of all rows; what stands in several rows of a user counts once.

    Raises:
        DataError: There is no event.
    """
    histories: dict[str, Events] = {}
    for dataset in datasets:
        user, history, target = user_of(dataset), history_of(dataset), dataset.target.name
        names = dataset[user] if user else [None] * len(dataset)
        for row, name in enumerate(names):
            events = (*(dataset[history][row] or ()), *(dataset[target][row] or ()))
            key = f"\x00{len(histories)}" if name is None else name
            before = histories.get(key)
            histories[key] = in_order(events if before is None else _joined(before, events))
    every = [event for events in histories.values() for event in events]
    if not every:
        raise DataError("The training rows hold no event.", param="data")
    items = tuple(sorted({event.item for event in every}))
    places = {item: place for place, item in enumerate(items)}
    texts = {event.item: event.text for event in every if event.text}
    times = np.array([np.nan if event.time is None else event.time for event in every]) / DAY
    last = np.nanmax(times) if np.isfinite(times).any() else 0.0
    return EventLog(
        histories,
        items,
        np.repeat(np.arange(len(histories)), [len(events) for events in histories.values()]),
        np.array([places[event.item] for event in every], np.int64),
        np.where(np.isfinite(times), times, last),
        tuple(texts.get(item, "") for item in items),
    )


def _joined(before: Events, events: Events) -> Events:
    known = set(before)
    return (*before, *(event for event in events if event not in known))


def user_of(dataset: Dataset) -> str:
    """Return the name of the input column with the users; empty where there is none."""
    return next((c.name for c in dataset.inputs if c.kind is Kind.CATEGORY), "")


class RecommenderRecipe(Recipe):
    """Learns twice: from the train part, to see on the validation part what scores are worth, and then from both.

    What people want changes by the week, so that a model without the last month is worse than it need be. The
    chances that its scores are turned into were fitted on users whose next events it had not seen.
    """

    form = FORM
    tasks = TASKS
    defaults: ClassVar[Mapping[str, Any]] = {"repeat_weight": 0.0, "half_life_days": 0.0}
    model: ClassVar[str]
    """Name of the scorer that answers."""
    seconds_per_event: ClassVar[float] = 4e-5

    @abstractmethod
    def learn(self, log: EventLog, settings: Mapping[str, Any], work: Work) -> dict[str, np.ndarray]:
        """Return the tensors that the scorer reads."""

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the events."""
        events = event_count(dataset)
        seconds = 0.2 + self.seconds_per_event * events
        memory = _BASE_BYTES + _EVENT_BYTES * events + 100 * len(dataset)
        return Cost(seconds, memory, f"{len(dataset):,} rows with {events:,} events")

    def make(self, work: Work) -> Made:
        """Learn, look at the validation part, learn it too."""
        settings = work.hyperparameters
        log = read_log(work.train)
        first = recommender(self.model, log, self.learn(log, settings, work), settings)
        predictor = predictor_of(work, self.name, log, first)
        found, knots = judged(work, predictor)
        work.progress.say("Validation", ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
        whole = read_log(work.train, work.validation)
        last = recommender(self.model, whole, {**self.learn(whole, settings, work), **knots}, settings)
        return Made(predictor_of(work, self.name, whole, last), ({"epoch": 1.0, **found},), "")


def event_count(dataset: Dataset) -> int:
    """Return the events of all rows."""
    columns = (history_of(dataset), dataset.target.name)
    return sum(len(cell or ()) for name in columns for cell in dataset[name])


def recommender(
    model: str, log: EventLog, tensors: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> Recommender:
    """Return what a recipe learned as the runtime that answers, with what is popular for new users."""
    return Recommender(model, {"popularity": log.popularity(FALLBACK_DAYS), **tensors}, _plain(settings))


def predictor_of(
    work: Work,
    recipe: str,
    log: EventLog,
    runtime: Recommender,
    histories: Mapping[str, Events] | None = None,
) -> Predictor:
    """Return the model that remembers the users of a log, or these histories."""
    user, history = user_of(work.train), history_of(work.train)
    found = log.histories if histories is None else histories
    known = {name: events for name, events in found.items() if not name.startswith("\x00")}
    encoder = Histories.fit(user, history, log.items, known if user else {})
    columns = tuple(_without_names(c) for c in work.train.inputs if c.name in (user, history))
    made = assemble(work, recipe, columns, log.items, encoder, runtime, "products in numpy")
    return replace(made, signature=replace(made.signature, example=_example(work.validation, user, history)))


def judged(
    work: Work, predictor: Predictor, most_rows: int | None = None
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return the metrics of the validation part, or evenly spread rows of it, and the line from scores to chances."""
    rows = np.arange(len(work.validation))
    part = work.validation.take(rows[:: -(-len(rows) // (most_rows or len(rows)))])
    task = work.task.with_labels(predictor.signature.labels)
    targets = task.encode_targets(part, predictor.signature.labels)
    outputs = predictor.outputs(list(part.examples()))
    return task.measure(targets, outputs, Calibration()), chances(targets, outputs)


def chances(targets: np.ndarray, outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Return `score_knots` and `chance_knots`, float32: how often items of each score were taken, never falling.

    Source: Zadrozny, Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates.
    """
    from sklearn.isotonic import IsotonicRegression  # takes a second to load

    kept = (outputs[..., PLACE] >= 0) & (outputs[..., BASIS] == BY_HISTORY)
    scores, is_hit = outputs[..., SCORE][kept].astype(np.float64), hits_of(targets, outputs)[kept]
    if not len(scores):
        return {}
    line = IsotonicRegression(y_min=0.0, y_max=1.0).fit(scores, is_hit.astype(np.float64))
    knots, heights = np.atleast_1d(line.X_thresholds_), np.atleast_1d(line.y_thresholds_)
    places = np.unique(np.linspace(0, len(knots) - 1, min(MOST_KNOTS, len(knots))).round().astype(int))
    return {
        "score_knots": knots[places].astype(np.float32),
        "chance_knots": np.maximum.accumulate(heights[places]).astype(np.float32),
    }


def _without_names(column: Column) -> Column:
    # The encoder knows the users; a form with a choice of thousands helps nobody.
    return Column(column.name, column.kind, column.role, column.reason)


def _example(dataset: Dataset, user: str, history: str) -> dict[str, Any]:
    lengths = [len(cell or ()) for cell in dataset[history]]
    row = next((row for row, length in enumerate(lengths) if length >= SHOWN_EVENTS), 0)
    items = [event.item for event in dataset[history][row] or ()][-SHOWN_EVENTS:]
    return {**({user: None} if user else {}), history: items}


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if isinstance(value, bool | int | float | str)}


def strongest(weights: np.ndarray, count: int) -> np.ndarray:
    """Return where each row has its largest values, int64, (rows, at most count)."""
    count = min(count, weights.shape[1])
    return np.argpartition(-weights, count - 1, axis=1)[:, :count]
