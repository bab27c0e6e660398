"""The versions of a server as a repository: which there are, and taking models out of service and back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from servery.errors import InputError
from servery.gateway.inference.messages import IndexEntry
from servery.gateway.message import Request
from servery.registry.version import Version
from servery.serving.engine import Engine

STATES = {"ready": "READY", "loading": "LOADING"}
REASONS = {"cold": "a request loads it", "failed": "it could not be brought up"}


async def index(engine: Engine, only_ready: bool = False) -> list[IndexEntry]:
    """Return every version and whether it is loaded."""
    versions = await asyncio.to_thread(engine.registry.versions)
    entries = [_entry(version, engine) for version in versions]
    return [entry for entry in entries if entry.state == "READY" or not only_ready]


async def load(request: Request, name: str, parameters: Mapping[str, Any]) -> None:
    """Put a model back into service and bring it up.

    Raises:
        InputError: Something is to be changed with it: versions are what they are.
        ModelNotFoundError: There is no such model.
        ModelLoadError: It cannot be brought up.
    """
    if parameters:
        raise InputError(
            f"A load with {', '.join(sorted(parameters))[:200]} is not possible: a version never changes.",
            hint="Register another version.",
            param="/parameters",
        )
    engine = request.gateway.engine
    await asyncio.to_thread(engine.registry.load, name, actor=request.actor)
    await engine.refresh()
    await engine.replica(name)


async def unload(request: Request, name: str) -> None:
    """Take a model out of service until it is loaded again; what is under way finishes.

    Raises:
        ModelNotFoundError: There is no such model.
    """
    engine = request.gateway.engine
    await asyncio.to_thread(engine.registry.unload, name, actor=request.actor)
    await engine.refresh()


def _entry(version: Version, engine: Engine) -> IndexEntry:
    state = engine.state(version)
    reason = "unloaded by an operator" if version.is_unloaded else REASONS.get(state, "")
    return IndexEntry(version.name, str(version.number), STATES.get(state, "UNAVAILABLE"), reason)
