"""Which models can answer a route: the one named in the body must be of the right task, or the error says who is."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from servery.errors import ForbiddenError, ModelTaskError
from servery.gateway.message import Request

SHOWN = 20


async def model_for(request: Request, reference: str, tasks: Collection[str]) -> None:
    """Refuse a model named in a body that the key may not ask, or that answers other questions; loads nothing.

    Args:
        request: Who asks.
        reference: The model as the body names it.
        tasks: Names of the tasks that this route asks.

    Raises:
        ForbiddenError: The key may not ask this model.
        ModelNotFoundError: There is no such model.
        ModelTaskError: It is of another task; the hint names the models that can.
    """
    request.check_model(reference)
    engine = request.gateway.engine
    replica = engine.loaded(reference)
    task = replica.task.name if replica is not None else (await engine.version(reference)).task
    if task in tasks:
        return
    able = await capable_models(request, tasks)
    listed = ", ".join(able[:SHOWN]) + (f" and {len(able) - SHOWN} more" if len(able) > SHOWN else "")
    wanted = " or ".join(sorted(tasks))
    raise ModelTaskError(
        f"The model {reference[:300]!r} answers {task}; {request.scope['path']} asks for {wanted}.",
        hint=f"These models can: {listed}." if able else f"No model here can; register one for {wanted}.",
        param="model",
    )


async def capable_models(request: Request, tasks: Collection[str]) -> list[str]:
    """Return the names of the models of these tasks that the key may ask, sorted."""
    registry = request.gateway.engine.registry
    versions = await asyncio.to_thread(registry.versions)
    names = sorted({version.name for version in versions if version.task in tasks})
    return [name for name in names if _may_ask(request, name)]


def _may_ask(request: Request, name: str) -> bool:
    try:
        request.check_model(name)
    except ForbiddenError:
        return False
    return True
