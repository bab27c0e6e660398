"""Draws the rows of three parts: classes spread evenly, groups kept together, or the last rows held out."""

from __future__ import annotations

import numpy as np

Shares = tuple[float, float, float]
_TRIES = 20


def stratified_parts(strata: np.ndarray, units: np.ndarray, seed: int, shares: Shares) -> np.ndarray:
    """Draw the parts so that each has the same mix of classes; rows of one unit stay together.

    Every class has a row in the train part before any other part gets one.

    Args:
        strata: Class of each row, int64, (rows,).
        units: Rows with the same number are copies of each other, int64, (rows,).
        seed: Equal seeds give equal parts.
        shares: Of train, validation and test.

    Returns:
        0 for train, 1 for validation, 2 for test, int64, (rows,).
    """
    _, first, unit_of, sizes = np.unique(units, return_index=True, return_inverse=True, return_counts=True)
    chance = np.random.default_rng([seed, 1])
    # Shuffled within each class; then every n-th goes out, so that each class gives its share.
    order = np.lexsort((chance.random(len(first)), strata[first]))
    parts = np.zeros(len(first), dtype=np.int64)
    # One unit that holds much of the data would be all there is in a small part.
    loose = order[sizes[order] <= max(1, 0.5 * min(s for s in shares if s) * len(units))]
    parts[loose] = _every_nth(len(loose), shares)
    _give_train_a_row(parts, strata[first])
    return parts[unit_of]


def _every_nth(count: int, shares: Shares) -> np.ndarray:
    """Spread three parts evenly over a row of places, int64, (count,)."""
    steps = np.arange(count + 1)
    is_test = np.diff(np.floor(steps * shares[2] + 0.5)) > 0
    parts = np.where(is_test, 2, 0)
    rest = np.flatnonzero(~is_test)
    share = shares[1] / (shares[0] + shares[1])
    parts[rest[np.diff(np.floor(np.arange(len(rest) + 1) * share + 0.5)) > 0]] = 1
    return parts


def _give_train_a_row(parts: np.ndarray, strata: np.ndarray) -> None:
    for stratum in np.setdiff1d(strata, strata[parts == 0]):
        parts[np.flatnonzero(strata == stratum)[0]] = 0


def group_parts(groups: np.ndarray, strata: np.ndarray, seed: int, shares: Shares) -> np.ndarray:
    """Draw whole groups; of twenty draws the one whose sizes and mix of classes come nearest to the shares.

    Args:
        groups: Group of each row, from 0, int64, (rows,).
        strata: Class of each row, int64, (rows,).
        seed: Equal seeds give equal parts.
        shares: Of train, validation and test.

    Returns:
        0 for train, 1 for validation, 2 for test, int64, (rows,).
    """
    table = np.zeros((int(groups.max()) + 1, int(strata.max()) + 1))  # (groups, classes)
    np.add.at(table, (groups, strata), 1)
    wanted = np.outer(shares, table.sum(axis=0))  # (parts, classes)
    best, best_cost = np.zeros(len(table), dtype=np.int64), np.inf
    for draw in range(_TRIES):
        order = np.random.default_rng([seed, 2, draw]).permutation(len(table))
        parts = _fill(table.sum(axis=1), order, shares)
        got = np.stack([table[parts == part].sum(axis=0) for part in range(3)])
        # A part without a row is worse than any mix.
        cost = float(
            (np.abs(got - wanted) / np.maximum(wanted, 1)).sum() + 1e6 * (got.sum(axis=1) == 0).sum()
        )
        if cost < best_cost:
            best, best_cost = parts, cost
    return np.asarray(best[groups])


def _fill(sizes: np.ndarray, order: np.ndarray, shares: Shares) -> np.ndarray:
    """Give groups to test, then to validation, until each has its share; the others are for training."""
    parts = np.zeros(len(sizes), dtype=np.int64)
    left = np.array(shares) * sizes.sum()
    for group in order:
        for part in (2, 1):
            # A group may overshoot the share by half of itself.
            if left[part] >= 0.5 * sizes[group]:
                parts[group] = part
                left[part] -= sizes[group]
                break
    return parts


def time_parts(times: np.ndarray, shares: Shares) -> np.ndarray:
    """Cut by time: the last rows are the test part, the ones before them the validation part.

    Rows of the same time stay on one side of a cut where that leaves no part empty. Rows without a time are for
    training.

    Args:
        times: datetime64 or float, (rows,).
        shares: Of train, validation and test.

    Returns:
        0 for train, 1 for validation, 2 for test, int64, (rows,).
    """
    is_missing = np.isnat(times) if times.dtype.kind == "M" else np.isnan(times)
    # Sorted with the rows without a time in front.
    order = np.lexsort((times, ~is_missing))
    ordered, count = times[order], len(times)
    test = _cut(ordered, round(count * (1 - shares[2])), 2, count)
    validation = _cut(ordered, round(count * shares[0]), 1, test)
    parts = np.zeros(count, dtype=np.int64)
    parts[order[validation:test]] = 1
    parts[order[test:]] = 2
    return parts


def _cut(ordered: np.ndarray, wanted: int, least: int, end: int) -> int:
    """Return where to cut: at the first row of the time that stands at the wanted place, if that is not too early."""
    place = min(max(wanted, least), end - 1)
    start = place
    while start > least and ordered[start - 1] == ordered[place]:
        start -= 1
    return start if start > least and start > 0.5 * place else place
