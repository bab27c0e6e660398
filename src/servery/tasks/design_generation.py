"""Design generation: which designs would do best, within limits?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from servery.data.columns import Kind
from servery.tasks.task import Answer, Calibration, Parameters, Task

BRIEF = "brief"
"""Name of the one column that models of this task read."""
DEFAULT_COUNT, MOST_COUNT = 10, 100
DEFAULT_EVALUATIONS, LEAST_EVALUATIONS, MOST_EVALUATIONS = 200, 20, 1000


class Bound(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """Between which values something must lie; null for no bound."""

    min: float | None = None
    max: float | None = None


class Brief(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is wanted of a design.

    Attributes:
        objectives: Quantity to what is wanted of it.
        limits: Quantity or dimension to its bounds. A quantity must keep them with its whole interval.
        fixed: Dimension to the one value it may have.
    """

    objectives: dict[str, Literal["min", "max"]]
    limits: dict[str, Bound] = {}
    fixed: dict[str, float | str] = {}


class DesignParameters(Parameters, frozen=True):
    """What a caller may ask: how many designs, how long to search, and the seed of all chance."""

    count: Annotated[int, msgspec.Meta(ge=1, le=MOST_COUNT)] = DEFAULT_COUNT
    evaluations: Annotated[int, msgspec.Meta(ge=LEAST_EVALUATIONS, le=MOST_EVALUATIONS)] = DEFAULT_EVALUATIONS
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0


class Predicted(msgspec.Struct, frozen=True):
    """A quantity of a design that nobody has built: the best guess, and the interval that holds 9 of 10."""

    value: float
    low: float | None
    high: float | None


class Candidate(msgspec.Struct, frozen=True):
    """One proposal.

    Attributes:
        design: Dimension to value.
        predicted: Quantity to what the models say of it.
        is_feasible: Whether the whole interval of every limited quantity keeps its limits, in a known region.
        is_on_front: Whether no other design that was looked at is as good in every objective and better in one.
        exceeds: Quantity to by how much its interval passes its limit, and "unknown_combination" to how much farther
            from what the models know it is than they allow, as a share; empty of a feasible design.
    """

    design: dict[str, float | str]
    predicted: dict[str, Predicted]
    is_feasible: bool
    is_on_front: bool
    exceeds: dict[str, float] = {}


class Comparison(msgspec.Struct, frozen=True):
    """What the search won over as many designs drawn at random: volume beaten, in the random designs' ranges."""

    search: float
    random: float


class DesignAnswer(Answer, frozen=True):
    """Proposals, the best front first.

    Attributes:
        candidates: The proposals.
        evaluated: Designs that the models looked at.
        feasible: How many of them keep the limits.
        against_random: How the search did beside chance; null where no random design was feasible either.
    """

    candidates: tuple[Candidate, ...]
    evaluated: int
    feasible: int
    against_random: Comparison | None


class DesignGeneration(Task):
    """Designs for a brief; a model's one input is the brief.

    `outputs` are objects, (rows,), each a `DesignAnswer`.
    """

    name = "design-generation"
    title = {"en": "Design generation", "zh": "设计生成"}
    summary = "Which designs would do best, within limits?"
    unit = "evaluations"
    parameters = DesignParameters
    answer = DesignAnswer

    def prepared(self, examples: list[dict[str, Any]], parameters: Parameters) -> list[dict[str, Any]]:
        """Return the examples with how many designs are wanted, how long to search, and the seed."""
        return [{**example, **msgspec.structs.asdict(parameters)} for example in examples]

    def decode(
        self, outputs: np.ndarray, labels: Sequence[str], calibration: Calibration, parameters: Parameters
    ) -> list[Answer]:
        """Return the outputs: the search has said it all."""
        return list(outputs)

    def notices(self, answers: Sequence[Answer]) -> Mapping[str, str]:
        """Say where nothing keeps all limits."""
        given = [answer for answer in answers if isinstance(answer, DesignAnswer)]
        short = [answer for answer in given if not answer.feasible]
        if not short:
            return {}
        exceeded = sorted(short[0].candidates[0].exceeds)
        return {
            "no_feasible_design": f"None of {short[0].evaluated} designs keeps every limit for sure; shown are the "
            f"nearest. Loosen {', '.join(map(repr, exceeded))}, or search longer (evaluations)."
        }

    def most_units(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Return how many designs will be looked at."""
        return sum(int(example.get("evaluations", DEFAULT_EVALUATIONS)) for example in examples)

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Return how many designs were looked at."""
        return sum(answer.evaluated for answer in answers if isinstance(answer, DesignAnswer))

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "design-generation"; the Hub has no such task."""
        return "design-generation"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return the candidates of each answer."""
        return [msgspec.to_builtins(a.candidates) for a in answers if isinstance(a, DesignAnswer)]


DESIGN_GENERATION = DesignGeneration()
