"""Which designs there are: each dimension with its bounds or its choices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from servery.data.columns import Column, Kind
from servery.errors import InputError
from servery.models.envelope import Envelope, Group
from servery.tasks.design_generation import Bound, Brief

Value = float | str
OPEN = Bound()


@dataclass(frozen=True)
class Dimension:
    """One number between two bounds, or one of several choices."""

    name: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class DesignSpace:
    """Dimensions that may be chosen, those that are fixed, and which numbers go together."""

    free: tuple[Dimension, ...]
    fixed: Mapping[str, Value]
    envelope: Envelope | None = None
    groups: Mapping[str, Group] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, columns: Sequence[Column], brief: Brief, envelope: Envelope | None = None) -> DesignSpace:
        """Return what a brief leaves of the dimensions that models learned from.

        Raises:
            InputError: A fixed value or a bound leaves a dimension nothing that the models know.
        """
        groups = {" + ".join(group.names): group for group in envelope.groups} if envelope else {}
        grouped = {name for group in groups.values() for name in group.names}
        free, fixed = [], {}
        for column in columns:
            if column.name in brief.fixed:
                fixed[column.name] = _fixed(column, brief.fixed[column.name])
            elif column.name not in grouped:
                free.append(_free(column, brief.limits.get(column.name, OPEN)))
        kept = {name: _within(group, brief) for name, group in groups.items()}
        free += [
            Dimension(name, choices=tuple(map(str, range(len(group.rows))))) for name, group in kept.items()
        ]
        return cls(tuple(free), fixed, envelope, kept)

    def design(self, chosen: Mapping[str, Value]) -> dict[str, Value]:
        """Return the design nearest to these choices whose numbers go together, within the bounds."""
        design = {name: value for name, value in chosen.items() if name not in self.groups}
        for name, group in self.groups.items():
            design |= zip(group.names, group.rows[int(chosen[name])], strict=True)
        design |= self.fixed
        if self.envelope is None:
            return design
        bounds = {d.name: (d.low, d.high) for d in self.free if not d.choices}
        numbers = {name: float(design[name]) for name in self.envelope.names}
        given = [name for name in numbers if name not in bounds]
        for name, value in self.envelope.drawn_in(numbers, given).items():
            if name in bounds:
                design[name] = min(max(value, bounds[name][0]), bounds[name][1])
        return design


def dimensions_of(signatures: Sequence[Sequence[Column]]) -> tuple[Column, ...]:
    """Return the dimensions of several models, each once, with the bounds that all of them know.

    Raises:
        InputError: One is neither a number with bounds nor a category with choices, or means two things.
    """
    found: dict[str, Column] = {}
    for column in (column for columns in signatures for column in columns):
        has_bounds = column.kind is Kind.NUMBER and column.low is not None and column.high is not None
        if not has_bounds and not (column.kind is Kind.CATEGORY and column.categories):
            raise InputError(
                f"{column.name!r} ({column.kind}) cannot be searched: its bounds or choices are not known.",
                hint="train the model again, on columns of numbers and categories",
            )
        known = found.get(column.name, column)
        if known.kind is not column.kind:
            raise InputError(
                f"{column.name!r} is a {known.kind} in one model and a {column.kind} in another."
            )
        found[column.name] = _shared(known, column)
    return tuple(found.values())


def _within(group: Group, brief: Brief) -> Group:
    """Return the combinations that a brief allows.

    Raises:
        InputError: There is none.
    """
    rows = [
        row for row in group.rows if all(_fits(n, v, brief) for n, v in zip(group.names, row, strict=True))
    ]
    if not rows:
        known = "; ".join(", ".join(f"{value:g}" for value in row) for row in group.rows[:10])
        names = ", ".join(group.names)
        raise InputError(
            f"The limits leave no combination of {names} that the models know. They know: {known}.",
            param="/limits",
        )
    return Group(group.names, tuple(rows))


def _fits(name: str, value: float, brief: Brief) -> bool:
    bound, fixed = brief.limits.get(name, OPEN), brief.fixed.get(name)
    is_within = (bound.min is None or value >= bound.min) and (bound.max is None or value <= bound.max)
    return is_within and (fixed is None or value == fixed)


def _shared(one: Column, other: Column) -> Column:
    choices = tuple(choice for choice in one.categories if choice in other.categories)
    low = None if one.low is None or other.low is None else max(one.low, other.low)
    high = None if one.high is None or other.high is None else min(one.high, other.high)
    return Column(one.name, one.kind, one.role, categories=choices, low=low, high=high)


def _fixed(column: Column, value: Value) -> Value:
    is_choice = column.kind is Kind.CATEGORY
    if isinstance(value, str) is not is_choice or (is_choice and value not in column.categories):
        raise InputError(
            f"{column.name!r} is fixed to {value!r}; expected {_described(column)}.",
            param=f"/fixed/{column.name}",
        )
    return value


def _free(column: Column, bound: Bound) -> Dimension:
    if column.kind is Kind.CATEGORY:
        if bound != OPEN:
            raise InputError(
                f"{column.name!r} is a choice and has no bounds.",
                hint=f"fix it instead to {_described(column)}",
                param=f"/limits/{column.name}",
            )
        return Dimension(column.name, choices=column.categories)
    assert column.low is not None
    assert column.high is not None
    low = column.low if bound.min is None else max(column.low, bound.min)
    high = column.high if bound.max is None else min(column.high, bound.max)
    if low > high:
        raise InputError(
            f"The limits of {column.name!r} leave nothing that the models know: they know {_described(column)}.",
            param=f"/limits/{column.name}",
        )
    return Dimension(column.name, low, high)


def _described(column: Column) -> str:
    if column.kind is Kind.CATEGORY:
        return f"one of {', '.join(column.categories[:20])}"
    return f"a number from {column.low:g} to {column.high:g}"


def checked(brief: Brief, dimensions: Sequence[Column], quantities: Sequence[str]) -> Brief:
    """Return a brief that speaks of these dimensions and quantities only.

    Raises:
        InputError: A name is unknown, nothing is wanted, or bounds are the wrong way round.
    """
    names = [column.name for column in dimensions]
    for part, asked, known in (
        ("objectives", brief.objectives, quantities),
        ("limits", brief.limits, [*quantities, *names]),
        ("fixed", brief.fixed, names),
    ):
        for name in asked:
            if name not in known:
                raise InputError(
                    f"There is no {name!r} to speak of under {part}; there are {', '.join(known)}.",
                    param=f"/{part}/{name}",
                )
    if not brief.objectives:
        raise InputError("The brief wants nothing.", hint=f"name min or max of {', '.join(quantities)}")
    for name, bound in brief.limits.items():
        if bound.min is not None and bound.max is not None and bound.min > bound.max:
            raise InputError(
                f"Nothing is at least {bound.min:g} and at most {bound.max:g}.", param=f"/limits/{name}"
            )
    return brief


def random_design(space: DesignSpace, chance: Any) -> dict[str, Value]:
    """Draw every free dimension evenly.

    Args:
        space: The dimensions.
        chance: A numpy generator.
    """
    drawn: dict[str, Value] = {
        d.name: str(chance.choice(d.choices)) if d.choices else float(chance.uniform(d.low, d.high))
        for d in space.free
    }
    return space.design(drawn)
