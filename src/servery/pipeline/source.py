"""What the word after --data means: a file or folder, the name of a known data set, or "sample"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset, read_known
from servery.data.columns import Column, Role
from servery.data.dataset import Dataset
from servery.data.readers import named_after
from servery.errors import DataError, UnknownNameError
from servery.fields._field import Offer
from servery.pipeline.plan import Plan

SAMPLE_ROWS = 600


def open_data(
    offer: Offer,
    data: str,
    root: Path | None,
    *,
    target: str = "",
    kinds: Mapping[str, str] | None = None,
    roles: Mapping[str, str] | None = None,
) -> Dataset:
    """Read a training's data.

    Args:
        offer: The question it is for; its known data sets can be named.
        data: A path, a known name, "carried" (what scikit-learn brings for the question) or "sample".
        root: Folder of the known data sets; None when there is none.
        target: Name of the target column; empty keeps what the data says of itself.
        kinds: Column name to kind, where inference would be wrong.
        roles: Column name to role, likewise; of data known by name it counts too.

    Raises:
        DataError: The data cannot be read, or lacks the target.
        UnknownNameError: Neither a path nor a known name.
    """
    path = Path(data)
    if path.exists():
        return _read(offer, path, target, kinds or {}, roles or {})
    if data == offer.sample_name:
        return rerole(retarget(offer.sample(SAMPLE_ROWS, 0), target), roles or {})
    if data == "carried" and offer.carried is not None:
        return rerole(retarget(offer.carried(), target), roles or {})
    known = {k.name: k for k in offer.known_datasets}
    if data not in known:
        raise UnknownNameError.among("file or data set", data, [*known, offer.sample_name])
    return rerole(retarget(read_known(_at_hand(known[data], root), _root(root, data)), target), roles or {})


def read_for(plan: Plan, offer: Offer, root: Path | None) -> Dataset:
    """Read the data a plan names."""
    return open_data(offer, plan.data, root, target=plan.target, kinds=plan.kinds, roles=plan.roles)


def best_at_hand(offer: Offer, root: Path | None) -> tuple[str, Dataset]:
    """Return the best data for a starter, with its name.

    A known set under `root` if there is one, else what scikit-learn carries, else the sample.
    """
    for known in offer.known_datasets:
        if root is not None and known.is_at(root):
            return known.name, read_known(known, root)
    if offer.carried is not None:
        return "carried", offer.carried()
    return offer.sample_name, offer.sample(SAMPLE_ROWS, 0)


def retarget(dataset: Dataset, target: str) -> Dataset:
    """Return the data set with another column as its target; an empty name changes nothing.

    Raises:
        DataError: There is no such column.
    """
    names = [c.name for c in dataset.columns]
    if not target or dataset.target.name == target:
        return dataset
    if target not in names:
        raise DataError(f"There is no column {target!r}; there are {', '.join(names)}.", param="target")
    return dataset.with_columns([_with_target(c, target) for c in dataset.columns])


def rerole(dataset: Dataset, roles: Mapping[str, str]) -> Dataset:
    """Return the data set with other roles of some of its columns.

    Raises:
        UnknownNameError: There is no such column or role.
    """
    for name, role in roles.items():
        if name not in dataset.values:
            raise UnknownNameError.among("column", name, dataset.values)
        if role not in set(Role):
            raise UnknownNameError.among("role", role, Role)
    given = {
        name: replace(dataset.column(name), role=Role(role), reason="role given")
        for name, role in roles.items()
    }
    return dataset.with_columns([given.get(c.name, c) for c in dataset.columns])


def _read(
    offer: Offer, path: Path, target: str, kinds: Mapping[str, str], roles: Mapping[str, str]
) -> Dataset:
    raw = offer.read(path)
    own = {name: kind for name, kind in offer.kinds.items() if name in raw.values}
    is_target_there = offer.target in raw.values and offer.target not in roles
    wanted = target or (offer.target if is_target_there and "target" not in roles.values() else "")
    meant = {name: role for name, role in offer.roles.items() if name in raw.values}
    kinds, roles = {**own, **kinds}, {**meant, **roles}
    return build_dataset(raw, named_after(path), path, target=wanted, kinds=kinds, roles=roles)


def _with_target(column: Column, target: str) -> Column:
    if column.name == target:
        return replace(column, role=Role.TARGET, reason="named as the target")
    if column.role is Role.TARGET:
        return replace(column, role=Role.IGNORED, reason=f"the target is {target}")
    return column


def _root(root: Path | None, name: str) -> Path:
    if root is None:
        raise DataError(
            f"{name} is a known data set, but SERVERY_DATA does not name the folder that holds it.",
            hint="export SERVERY_DATA=/path/to/data",
            param="data",
        )
    return root


def _at_hand(known: KnownDataset, root: Path | None) -> KnownDataset:
    if not known.is_at(root):
        folder = _root(root, known.name) / known.folder
        raise DataError(f"{known.name} should lie in {folder}; some of its files are missing.", param="data")
    return known
