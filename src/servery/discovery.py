"""Finds what a room holds by looking at its files, so that a new file is all that a new thing needs."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import TypeVar

Thing = TypeVar("Thing")


@cache
def module_names(package: str) -> tuple[str, ...]:
    """Return the names of a package's public modules, sorted, without importing them.

    Args:
        package: Dotted name of an importable package, e.g. `servery.fields`.
    """
    room = importlib.import_module(package)
    return tuple(
        sorted(info.name for info in pkgutil.iter_modules(room.__path__) if not info.name.startswith("_"))
    )


def modules(package: str) -> tuple[ModuleType, ...]:
    """Import and return every public module of a package, in the order of their names."""
    return tuple(importlib.import_module(f"{package}.{name}") for name in module_names(package))


@cache
def instances(package: str, of: type[Thing]) -> tuple[Thing, ...]:
    """Return every module-level object of one class found in a package's modules."""
    found: dict[int, Thing] = {}
    for module in modules(package):
        for value in vars(module).values():
            if isinstance(value, of):
                found.setdefault(id(value), value)
    return tuple(found.values())
