"""The systems that are compared; a file here holds one or more, and is found by looking."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from systems._system import System


def all_systems() -> dict[str, System]:
    """Return every system by name, ours first."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py"))
    modules = [import_module(f"systems.{name}") for name in names]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, System)]
    return {s.name: s for s in sorted(found, key=lambda s: (not s.name.startswith("servery"), s.name))}


def systems_named(names: Sequence[str]) -> list[System]:
    """Return the systems of these names, or all if none is given."""
    known = all_systems()
    unknown = set(names) - known.keys()
    if unknown:
        raise SystemExit(f"No system {sorted(unknown)}; there are {', '.join(known)}.")
    return [known[name] for name in (names or known)]
