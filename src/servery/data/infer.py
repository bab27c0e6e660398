"""Decides what each column is (kind) and what it is for (role), and says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from servery.data import profile as profiles
from servery.data.cells import numbers_of, times_of, values_of
from servery.data.columns import Column, Kind, Role
from servery.data.parts import part_of
from servery.data.profile import Profile
from servery.errors import ColumnNotFoundError, DataError, UnknownNameError

_TARGET_NAMES = ("target", "label", "labels", "class", "sentiment", "标签", "类别")
_ALONE = {
    Kind.IMAGE: "picture",
    Kind.AUDIO: "recording",
    Kind.SCENE: "scene",
    Kind.TEXT: "text",
    Kind.MARKED_TEXT: "marked text",
}
"""Kinds that a model reads without a table beside them, the first one found leads."""
_NO_INPUT = {
    Kind.TIME: "left out, since a date often tells when a row was written; the role input lets it in",
    Kind.IDENTIFIER: "an identifier tells nothing about a new row",
    Kind.LABELS: "no recipe reads lists",
}


def infer_columns(
    raw: Mapping[str, np.ndarray],
    target: str = "",
    kinds: Mapping[str, str] | None = None,
    roles: Mapping[str, str] | None = None,
) -> tuple[Column, ...]:
    """Return what every column is and is for.

    Args:
        raw: Cells as they were read, one object array a column, (rows,).
        target: The column to learn; empty takes the one that `roles` names, else one called like a target.
        kinds: Column name to kind, where the rules would be wrong.
        roles: Column name to role, likewise.

    Raises:
        ColumnNotFoundError: A name that no column has.
        UnknownNameError: A kind or role that does not exist.
        DataError: Two columns are named as the target, or no cell fits the kind that was asked for.

    >>> [c.kind.value for c in infer_columns({"age": np.array(["31", "n/a", "45", "28.5"], dtype=object)})]
    ['number']
    """
    kinds, roles = kinds or {}, roles or {}
    target, target_reason = _find_target(tuple(raw), target, kinds, roles)
    columns = [
        _infer(Profile.of(name, cells), name == target, kinds.get(name), roles.get(name))
        for name, cells in raw.items()
    ]
    columns = [replace(c, reason=f"{target_reason}; {c.reason}") if c.name == target else c for c in columns]
    columns = _promote_text(columns, raw, kinds, roles)
    columns = _keep_one_modality(columns)
    return tuple(_with_categories(c, raw[c.name]) if c.kind is Kind.CATEGORY else c for c in columns)


def _find_target(
    names: tuple[str, ...], target: str, kinds: Mapping[str, str], roles: Mapping[str, str]
) -> tuple[str, str]:
    for asked in (*([target] if target else []), *kinds, *roles):
        if asked not in names:
            near = ColumnNotFoundError(UnknownNameError.among("column", asked, names).message, param="target")
            near.hint = f"one of: {', '.join(names[:20])}"
            raise near
    for values, known in ((kinds, Kind), (roles, Role)):
        for value in values.values():
            if value not in set(known):
                raise UnknownNameError.among(known.__name__.lower(), value, known)
    named = {target} - {""} | {name for name, role in roles.items() if role == Role.TARGET}
    if len(named) > 1:
        raise DataError(f"Two columns are named as the target: {', '.join(sorted(named))}.", param="target")
    if named:
        return named.pop(), "named as the target"
    guess = next((n for wanted in _TARGET_NAMES for n in names if n.lower() == wanted and n not in roles), "")
    return guess, "taken as the target because of its name"


def _infer(profile: Profile, is_target: bool, kind: str | None, role: str | None) -> Column:
    if kind is None:
        chosen, reason = profiles.target_kind(profile) if is_target else profiles.input_kind(profile)
    else:
        chosen, reason = Kind(kind), "kind given"
        _check_convertible(profile, chosen)
    column = Column(profile.name, chosen, Role.INPUT, reason)
    if is_target:
        return replace(column, role=Role.TARGET)
    if role is not None:
        kind_of_role = Kind.CATEGORY if role == Role.PART else chosen
        return replace(column, kind=kind_of_role, role=Role(role), reason=f"{reason}; role given")
    return _with_role(column, profile)


def _check_convertible(profile: Profile, kind: Kind) -> None:
    """Refuse a kind under which every value of the column would be missing."""
    cells = profile.present
    if kind is Kind.NUMBER:
        fits = np.isfinite(numbers_of(cells)).any()
    elif kind is Kind.TIME:
        fits = not np.isnat(times_of(cells)).all()
    elif kind in (Kind.IMAGE, Kind.AUDIO):
        fits = any(isinstance(cell, bytes) for cell in cells)
    else:
        fits = True
    if cells and not fits:
        raise DataError(
            f"The column {profile.name!r} cannot be of kind {kind.value}; it holds e.g. {cells[0]!r}.",
            hint="leave its kind out, or choose another",
            param="kinds",
        )


def _with_role(column: Column, profile: Profile) -> Column:
    """Return the column with the role its values ask for."""
    reason = column.reason
    if not profile.present:
        return replace(column, role=Role.IGNORED, reason="every value is missing")
    if profile.is_part:
        return replace(column, kind=Kind.CATEGORY, role=Role.PART, reason="its values name the parts")
    if profile.distinct == 1:
        return replace(
            column, role=Role.IGNORED, reason=f"the same value in all {len(profile.present):,} rows"
        )
    if column.kind is Kind.TIME and profile.is_sorted_time:
        return replace(column, role=Role.TIME, reason=f"{reason}; the rows are in its order")
    if column.kind is Kind.IDENTIFIER and profile.is_group:
        return replace(column, role=Role.GROUP, reason=f"{reason}; rows of one value belong together")
    if column.kind in _NO_INPUT:
        return replace(column, role=Role.IGNORED, reason=f"{reason}; {_NO_INPUT[column.kind]}")
    return column


def _promote_text(
    columns: list[Column],
    raw: Mapping[str, np.ndarray],
    kinds: Mapping[str, str],
    roles: Mapping[str, str],
) -> list[Column]:
    """Where nothing else is left to learn from, short texts that look like names are the input after all."""
    if any(c.role is Role.INPUT for c in columns):
        return columns
    free = [c for c in columns if c.kind is Kind.IDENTIFIER and c.role is Role.IGNORED]
    free = [c for c in free if c.name not in kinds and c.name not in roles]
    lengths = {c.name: profiles.mean_words(Profile.of(c.name, raw[c.name]).sample) for c in free}
    wordy = max(lengths, key=lambda name: lengths[name], default="")
    if not wordy or lengths[wordy] < 1.5:
        return columns
    reason = "short texts, and no other column to learn from"
    return [
        replace(c, kind=Kind.TEXT, role=Role.INPUT, reason=reason) if c.name == wordy else c for c in columns
    ]


def _keep_one_modality(columns: list[Column]) -> list[Column]:
    """A model reads one modality: ignore the inputs that are not of the first kind found."""
    kinds = {c.kind for c in columns if c.role is Role.INPUT}
    leading = next((kind for kind in _ALONE if kind in kinds), None)
    if leading is None:
        return columns
    aside = f"the model reads the {_ALONE[leading]} alone"
    return [
        replace(c, role=Role.IGNORED, reason=f"{c.reason}; {aside}")
        if c.role is Role.INPUT and c.kind is not leading
        else c
        for c in columns
    ]


def _with_categories(column: Column, cells: np.ndarray) -> Column:
    names = set(values_of(cells, Kind.CATEGORY)) - {None}
    if column.role is Role.PART:
        names = {part_of(name) for name in names} - {None}
    return replace(column, categories=tuple(sorted(names)))
