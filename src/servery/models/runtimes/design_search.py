"""Searches for designs: models say what a design would be like, a Bayesian search proposes the next ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from servery.errors import ArtifactError, MissingExtraError
from servery.metrics.pareto import fronts, hypervolume
from servery.models.design_space import DesignSpace, Dimension, Value, dimensions_of, random_design
from servery.models.encoder import Batch
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.tasks.design_generation import (
    Bound,
    Brief,
    Candidate,
    Comparison,
    DesignAnswer,
    Predicted,
)
from servery.tasks.regression import spreads

ASKED_AT_ONCE = 10
"""Designs proposed before the models are asked: a batch costs them little more than one."""
OPEN = Bound()
ROOM = 0.02
"""A design so much farther out than any row learned from is still one like them."""
MOST_SPREADS = 4.0
"""A model so many times less sure of a design than of usual rows does not know it."""
UNKNOWN_COMBINATION = "unknown_combination"
"""Stands among what a design exceeds: each number may be usual, all of them together are not."""
Design = dict[str, Value]


class DesignSearch(Runtime):
    """Multi-objective search under constraints by tree-structured Parzen estimators, beside as many random designs.

    Sources: Ozaki et al. (2020), Multiobjective tree-structured Parzen estimator; the library optuna. A quantity keeps
    a limit only with its whole conformal interval, so that a guess is not mistaken for a promise; and designs keep the
    relations between their numbers that the rows learned from keep, where no model can be believed elsewhere.

    Args:
        surrogates: Quantity to the regression model that predicts it.
    """

    name = "design_search"

    def __init__(self, surrogates: Mapping[str, Predictor]) -> None:
        self.surrogates = dict(surrogates)
        signatures = [model.signature for model in surrogates.values()]
        self.dimensions = dimensions_of([signature.inputs for signature in signatures])
        envelopes = [signature.envelope for signature in signatures if signature.envelope]
        self.envelope = max(envelopes, key=lambda envelope: len(envelope.names), default=None)

    def run(self, batch: Batch) -> np.ndarray:
        """Return the proposals for each brief, objects, (rows,)."""
        found = np.empty(len(batch["briefs"]), object)
        for row, brief in enumerate(batch["briefs"]):
            wanted = msgspec.json.decode(brief, type=Brief)
            asked = (int(batch[name][row]) for name in ("count", "evaluations", "seed"))
            found[row] = self._answer(wanted, *asked)
        return found

    def _answer(self, brief: Brief, count: int, evaluations: int, seed: int) -> DesignAnswer:
        space = DesignSpace.of(self.dimensions, brief, self.envelope)
        chance = np.random.default_rng(seed)
        by_chance = self.looked_at([random_design(space, chance) for _ in range(evaluations)], brief)
        searched = _searched(space, brief, evaluations, seed, lambda designs: self.looked_at(designs, brief))
        return DesignAnswer(
            searched.proposals(count),
            evaluations,
            int(searched.is_feasible.sum()),
            _compared(searched, by_chance),
        )

    def looked_at(self, designs: Sequence[Design], brief: Brief) -> Looked:
        """Return what the models say of designs, and how that fits a brief."""
        predicted: list[dict[str, Predicted]] = [{} for _ in designs]
        beyond = np.zeros(len(designs))
        if self.envelope is not None:
            beyond = np.maximum(self.envelope.distances(designs) / self.envelope.farthest - 1.0 - ROOM, 0.0)
        for quantity, model in self.surrogates.items():
            outputs = model.outputs(designs)
            for row, answer in zip(predicted, model.decode(outputs), strict=True):
                said: Any = answer
                row[quantity] = Predicted(said.value, said.low, said.high)
            usual = model.calibration.usual_spread
            if usual > 0:
                beyond = np.maximum(beyond, spreads(outputs) / (MOST_SPREADS * usual) - 1.0)
        return Looked(tuple(designs), tuple(predicted), tuple(beyond.tolist()), brief)

    def save(self, folder: Path) -> None:
        """Write each model into a folder of its own."""
        for place, model in enumerate(self.surrogates.values()):
            (folder / _part(place)).mkdir()
            model.save(folder / _part(place))

    def options(self) -> dict[str, Any]:
        """Return the quantities, in the order of the folders."""
        return {"quantities": list(self.surrogates)}

    def close(self) -> None:
        """Let go of the models."""
        for model in self.surrogates.values():
            model.runtime.close()

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> DesignSearch:
        """Read the models.

        Raises:
            ArtifactError: One is missing or torn.
        """
        try:
            quantities = [str(quantity) for quantity in options["quantities"]]
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"The designer in {folder.name} cannot be read: {error!r}.") from error
        return cls({q: Predictor.load(folder / _part(i), threads) for i, q in enumerate(quantities)})


@dataclass(frozen=True)
class Looked:
    """Designs with what models say of them, held against a brief."""

    designs: tuple[Design, ...]
    predicted: tuple[Mapping[str, Predicted], ...]
    beyond: tuple[float, ...]
    brief: Brief

    @cached_property
    def losses(self) -> np.ndarray:
        """Smaller is better, float64, (designs, objectives)."""
        wanted = self.brief.objectives.items()
        rows = [[p[q].value * (1.0 if aim == "min" else -1.0) for q, aim in wanted] for p in self.predicted]
        return np.array(rows, np.float64).reshape(len(self.designs), len(self.brief.objectives))

    @cached_property
    def excesses(self) -> list[dict[str, float]]:
        """Of each design: quantity to by how much its interval passes its limit; and how far it is from all known."""
        found = []
        for row, beyond in zip(self.predicted, self.beyond, strict=True):
            over = {q: _excess(said, self.brief.limits.get(q, OPEN)) for q, said in row.items()}
            found.append({name: by for name, by in {**over, UNKNOWN_COMBINATION: beyond}.items() if by > 0})
        return found

    @cached_property
    def is_feasible(self) -> np.ndarray:
        """Bool, (designs,)."""
        return np.array([not excess for excess in self.excesses], bool)

    def proposals(self, count: int) -> tuple[Candidate, ...]:
        """Return the best feasible designs, far from one another; the nearest where none is feasible."""
        places = np.flatnonzero(self.is_feasible)
        if not len(places):
            order = np.argsort([sum(excess.values()) for excess in self.excesses], kind="stable")
            return tuple(self._candidate(int(place), False) for place in order[:count])
        front = fronts(self.losses[places])
        chosen: list[int] = []
        for number in range(int(front.max()) + 1):
            chosen += _spread(places[front == number], self.losses, count - len(chosen))
        best = set(places[front == 0].tolist())
        return tuple(self._candidate(place, place in best) for place in chosen)

    def _candidate(self, place: int, is_on_front: bool) -> Candidate:
        excess = self.excesses[place]
        return Candidate(self.designs[place], dict(self.predicted[place]), not excess, is_on_front, excess)


def _searched(
    space: DesignSpace,
    brief: Brief,
    evaluations: int,
    seed: int,
    look: Callable[[Sequence[Design]], Looked],
) -> Looked:
    """Propose designs, some at a time, and learn from what the models say of them."""
    optuna = _library()
    limited = [*brief.limits, UNKNOWN_COMBINATION]

    def constraints(trial: Any) -> Sequence[float]:
        return tuple(trial.user_attrs["excess"].get(quantity, 0.0) for quantity in limited)

    with warnings.catch_warnings():
        # The library calls some of its options experimental; the tests see to it that they work.
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(
            seed=seed, constraints_func=constraints, multivariate=True, constant_liar=True
        )
        study = optuna.create_study(directions=["minimize"] * len(brief.objectives), sampler=sampler)
        designs: list[Design] = []
        predicted: list[Mapping[str, Predicted]] = []
        beyond: list[float] = []
        while len(designs) < evaluations:
            trials = [study.ask() for _ in range(min(ASKED_AT_ONCE, evaluations - len(designs)))]
            asked = [space.design({d.name: _suggested(trial, d) for d in space.free}) for trial in trials]
            seen = look(asked)
            for trial, losses, excess in zip(trials, seen.losses.tolist(), seen.excesses, strict=True):
                trial.set_user_attr("excess", excess)
                study.tell(trial, losses)
            designs += seen.designs
            predicted += seen.predicted
            beyond += seen.beyond
    return Looked(tuple(designs), tuple(predicted), tuple(beyond), brief)


def _suggested(trial: Any, dimension: Dimension) -> Value:
    if dimension.choices:
        return str(trial.suggest_categorical(dimension.name, dimension.choices))
    return float(trial.suggest_float(dimension.name, dimension.low, dimension.high))


def _excess(said: Predicted, bound: Bound) -> float:
    low = said.value if said.low is None else said.low
    high = said.value if said.high is None else said.high
    over = 0.0 if bound.max is None else high - bound.max
    under = 0.0 if bound.min is None else bound.min - low
    return max(over, under, 0.0)


def _spread(places: np.ndarray, losses: np.ndarray, count: int) -> list[int]:
    """Return up to so many places, the best of the first objective and then always the farthest from those chosen."""
    if len(places) <= count:
        return [int(place) for place in places]
    span = np.ptp(losses[places], axis=0)
    points = losses[places] / np.where(span > 0, span, 1.0)
    chosen = [int(points[:, 0].argmin())] if count else []
    while len(chosen) < count:
        nearest = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1)
        nearest[chosen] = -1.0
        chosen.append(int(nearest.argmax()))
    return [int(places[place]) for place in chosen]


def _compared(searched: Looked, by_chance: Looked) -> Comparison | None:
    feasible = by_chance.losses[by_chance.is_feasible]
    if not len(feasible):
        return None
    low, high = feasible.min(axis=0), feasible.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    worst = np.full(len(low), 1.0 + 1e-9)
    ours = (searched.losses[searched.is_feasible] - low) / span
    return Comparison(hypervolume(ours, worst), hypervolume((feasible - low) / span, worst))


def _library() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError.named("design") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _part(place: int) -> str:
    return f"quantity-{place}"


RUNTIME = DesignSearch
