"""Splits a data set into train, validation and test so that the test part says what it seems to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from servery.data.building import is_missing
from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.data.duplicates import find_duplicates
from servery.data.parts import PARTS
from servery.data.sampling import group_parts, stratified_parts, time_parts
from servery.errors import DataError, EmptyDataError, UnknownNameError

POLICIES = ("auto", "given", "time", "group", "stratified", "random")
LEAST_ROWS = 10
_TRAIN, _VALIDATION, _TEST = range(3)


@dataclass(frozen=True)
class Split:
    """Three data sets without a row, or a copy of a row, in common.

    Attributes:
        train: Rows to learn from.
        validation: Rows to choose by.
        test: Rows to judge by.
        policy: "given", "time", "group", "stratified" or "random".
        reason: Why this policy, one sentence.
        dropped: Part to the number of its rows left out because the validation or the test part holds a copy.
        dropped_near: How many of these are nearly, not exactly, equal.
        notes: What else a reader of the figures should know, one sentence each.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    policy: str
    reason: str
    dropped: dict[str, int]
    dropped_near: int
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, Dataset]:
        """The data sets by the names of the parts."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def summary(self) -> str:
        """Return one line for people: sizes, policy, copies left out."""
        sizes = " / ".join(f"{len(part):,}" for part in self.parts.values())
        dropped = sum(self.dropped.values())
        copies = f"; {dropped:,} copies of held-out rows left out" if dropped else ""
        return f"{sizes} rows to train, validate, test ({self.policy}: {self.reason}{copies})"


def split(
    dataset: Dataset,
    policy: str = "auto",
    seed: int = 0,
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1),
) -> Split:
    """Split a data set by the policy its columns ask for.

    Parts that the data brings are kept; else rows with a time are cut by time; else rows of one group stay
    together; else the classes are spread evenly. Copies of test rows are left out of the other parts, copies of
    validation rows out of the train part; where parts are drawn at random, copies are drawn together instead.

    Args:
        dataset: With a target.
        policy: One of `POLICIES`; "auto" chooses.
        seed: Equal seeds give equal parts.
        shares: Of train, validation and test; they sum to 1.

    Raises:
        UnknownNameError: No such policy.
        EmptyDataError: Fewer than 10 rows.
        DataError: Only one class, a policy whose column is missing, or a part that would be empty.
    """
    _check(dataset, policy, shares)
    chosen, reason = _choose(dataset, policy)
    groups = find_duplicates(dataset)
    notes: list[str] = []
    near = groups.near
    if _repeats_by_nature(dataset, near):
        notes.append(
            f"Only {near.max() + 1:,} of {len(dataset):,} rows have different inputs; "
            "equal rows are not taken for copies."
        )
        near = np.arange(len(dataset))
    parts = _PARTERS[chosen](dataset, near, seed, shares)
    notes += _absent_classes(dataset, parts)
    dropped = _copies(parts, near)
    exact = _copies(parts, groups.exact) & dropped
    kept = np.where(dropped, -1, parts)
    _check_parts(dataset, kept, chosen)
    train, validation, test = (dataset.take(np.flatnonzero(kept == part)) for part in range(3))
    counts = {PARTS[p]: int((dropped & (parts == p)).sum()) for p in (_TRAIN, _VALIDATION)}
    return Split(
        train,
        validation,
        test,
        chosen,
        reason,
        {name: count for name, count in counts.items() if count},
        int((dropped & ~exact).sum()),
        tuple(notes),
    )


def _check(dataset: Dataset, policy: str, shares: tuple[float, float, float]) -> None:
    if policy not in POLICIES:
        raise UnknownNameError.among("split policy", policy, POLICIES)
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise DataError(f"The shares {shares} must be above 0 and sum to 1.", param="split")
    if len(dataset) < LEAST_ROWS:
        raise EmptyDataError(
            f"{dataset.source.name} has {len(dataset)} usable rows; at least {LEAST_ROWS} are needed to split it."
        )
    if not dataset.inputs:
        ignored = "; ".join(f"{c.name}: {c.reason}" for c in dataset.columns if c.role is Role.IGNORED)
        raise DataError(
            f"{dataset.source.name} has no column to learn from. {ignored}.",
            hint="give a column the role input",
            param="roles",
        )
    if dataset.target.kind is Kind.CATEGORY and len(set(dataset[dataset.target.name])) < 2:
        raise DataError(
            f"The target {dataset.target.name!r} has only one class: {dataset[dataset.target.name][0]!r}.",
            hint="a model needs at least two classes to tell apart",
            param="target",
        )


def _choose(dataset: Dataset, policy: str) -> tuple[str, str]:
    """Return the policy and why."""
    part, time, group = (_column(dataset, role) for role in (Role.PART, Role.TIME, Role.GROUP))
    asked = policy != "auto"
    if policy == "given" or (not asked and part):
        return "given", f"the column {_named(part, 'part')} names the parts"
    if policy == "time" or (not asked and time):
        return "time", f"the last rows by {_named(time, 'time')} are the test part"
    if policy == "group" or (not asked and group):
        return "group", f"rows of one {_named(group, 'group')} stay together"
    if policy == "random":
        return "random", "asked for"
    if dataset.target.kind in (Kind.CATEGORY, Kind.LABELS):
        return "stratified", f"every part has the same mix of {dataset.target.name}"
    if policy == "stratified":
        raise DataError(f"The target {dataset.target.name!r} has no classes to spread.", param="split")
    return "random", "nothing in the columns asks for another policy"


def _column(dataset: Dataset, role: Role) -> Column | None:
    return next((c for c in dataset.columns if c.role is role), None)


def _named(column: Column | None, role: str) -> str:
    if column is None:
        raise DataError(
            f"The split policy needs a column with the role {role}, and there is none.",
            hint=f"give a column the role {role}, or choose another policy",
            param="split",
        )
    return column.name


def _repeats_by_nature(dataset: Dataset, near: np.ndarray) -> bool:
    # A table of a few categories has equal rows about different things; texts, pictures, sounds and scenes never do.
    is_table = not dataset.input_kinds & {Kind.TEXT, Kind.MARKED_TEXT, Kind.IMAGE, Kind.AUDIO, Kind.SCENE}
    return is_table and int(near.max()) + 1 < 0.5 * len(dataset)


def _given(dataset: Dataset, near: np.ndarray, seed: int, shares: tuple[float, float, float]) -> np.ndarray:
    column = next(c for c in dataset.columns if c.role is Role.PART)
    numbers = {name: number for number, name in enumerate(PARTS)}
    parts = np.array([numbers.get(name, _TRAIN) for name in dataset[column.name]], dtype=np.int64)
    for absent in (_TEST, _VALIDATION):
        if not (parts == absent).any():
            train = np.flatnonzero(parts == _TRAIN)
            share = shares[absent] / (shares[_TRAIN] + shares[absent])
            cut = _cut(dataset.take(train), near[train], seed, share)
            parts[train[cut == _VALIDATION]] = absent
    return parts


def _cut(dataset: Dataset, near: np.ndarray, seed: int, share: float) -> np.ndarray:
    """Return which rows become validation: the last ones in time, else whole groups, else the same mix of classes."""
    groups, time = _groups(dataset), _column(dataset, Role.TIME)
    if time is not None and dataset[time.name].dtype != object:
        order = np.argsort(dataset[time.name], kind="stable")
        parts = np.zeros(len(order), dtype=np.int64)
        parts[order[round((1 - share) * len(order)) :]] = _VALIDATION
        return parts
    if groups is not None and groups.max() > 1:
        share = max(share, 1 / (int(groups.max()) + 1))  # of few groups one is more than the share
        return group_parts(groups, _strata(dataset), seed, (1 - share, share, 0.0))
    return stratified_parts(_strata(dataset), near, seed, (1 - share, share, 0.0))


def _time(dataset: Dataset, near: np.ndarray, seed: int, shares: tuple[float, float, float]) -> np.ndarray:
    column = next(c for c in dataset.columns if c.role is Role.TIME)
    times = dataset[column.name]
    if times.dtype == object:
        raise DataError(
            f"The column {column.name!r} has the role time but is of kind {column.kind.value}.",
            hint="give it the kind time or number too",
            param="kinds",
        )
    return time_parts(times, shares)


def _by_group(
    dataset: Dataset, near: np.ndarray, seed: int, shares: tuple[float, float, float]
) -> np.ndarray:
    column = next(c for c in dataset.columns if c.role is Role.GROUP)
    groups = _groups(dataset)
    assert groups is not None
    if groups.max() < 2:
        raise DataError(
            f"The column {column.name!r} has only {groups.max() + 1} groups; three parts need at least three.",
            hint="choose another split policy",
            param="split",
        )
    return group_parts(groups, _strata(dataset), seed, shares)


def _groups(dataset: Dataset) -> np.ndarray | None:
    """Number the groups of the rows, int64, (rows,); a row without one is a group of its own."""
    column = _column(dataset, Role.GROUP)
    if column is None:
        return None
    absent = is_missing(dataset[column.name])
    owners = [f"\x00{row}" if absent[row] else str(owner) for row, owner in enumerate(dataset[column.name])]
    return np.unique(owners, return_inverse=True)[1].astype(np.int64)


def _stratified(
    dataset: Dataset, near: np.ndarray, seed: int, shares: tuple[float, float, float]
) -> np.ndarray:
    return stratified_parts(_strata(dataset), near, seed, shares)


def _random(dataset: Dataset, near: np.ndarray, seed: int, shares: tuple[float, float, float]) -> np.ndarray:
    return stratified_parts(np.zeros(len(dataset), dtype=np.int64), near, seed, shares)


_Parter = Callable[[Dataset, np.ndarray, int, tuple[float, float, float]], np.ndarray]
_PARTERS: dict[str, _Parter] = {
    "given": _given,
    "time": _time,
    "group": _by_group,
    "stratified": _stratified,
    "random": _random,
}


def _strata(dataset: Dataset) -> np.ndarray:
    """Return the class of each row, int64, (rows,); of several labels the rarest, so that it reaches every part."""
    values = dataset[dataset.target.name]
    if dataset.target.kind is Kind.LABELS:
        labels, counts = np.unique([label for cell in values for label in cell], return_counts=True)
        rarity = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        names = [min(cell, key=lambda label: (rarity[label], label), default="") for cell in values]
    elif dataset.target.kind is Kind.CATEGORY:
        names = list(values)
    else:
        return np.zeros(len(dataset), dtype=np.int64)
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _copies(parts: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return which rows have a copy in a part that counts more (test before validation before train)."""
    highest = np.full(int(groups.max()) + 1, -1, dtype=np.int64)
    np.maximum.at(highest, groups, parts)
    return np.asarray(parts < highest[groups])


def _absent_classes(dataset: Dataset, parts: np.ndarray) -> list[str]:
    if dataset.target.kind is not Kind.CATEGORY:
        return []
    values = dataset[dataset.target.name]
    notes = []
    for part, name in enumerate(PARTS):
        absent = sorted(set(values) - set(values[parts == part]))
        if absent:
            shown = ", ".join(absent[:5]) + (" ..." if len(absent) > 5 else "")
            notes.append(f"The {name} part has no row of {len(absent):,} classes: {shown}.")
    return notes


def _check_parts(dataset: Dataset, parts: np.ndarray, policy: str) -> None:
    for part, name in enumerate(PARTS):
        if not (parts == part).any():
            raise DataError(
                f"The split by {policy} leaves the {name} part of {dataset.source.name} empty "
                "(copies of held-out rows do not count).",
                hint="choose another split policy, or bring more different rows",
                param="split",
            )
    if dataset.target.kind is Kind.CATEGORY and len(set(dataset[dataset.target.name][parts == _TRAIN])) < 2:
        raise DataError(
            f"The split by {policy} leaves only one class in the train part of {dataset.source.name}.",
            hint="choose another split policy",
            param="split",
        )
