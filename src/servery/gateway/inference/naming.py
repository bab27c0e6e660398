"""How the protocol names models, and how its clients read an error."""

from __future__ import annotations

import asyncio
from typing import Any

from servery.errors import ModelNotFoundError, ServeryError
from servery.registry.version import Version
from servery.serving.engine import Engine


def reference_of(name: str, version: str) -> str:
    """Return the id of a model and a version of it; without a version, what the name alone means.

    Raises:
        ModelNotFoundError: No version is called so.

    >>> reference_of("reviews", "3"), reference_of("reviews", "")
    ('reviews@3', 'reviews')
    """
    if not version:
        return name
    is_number = version.isascii() and version.isdigit() and len(version) <= 18
    if not is_number or "@" in name:
        raise ModelNotFoundError(
            f"There is no version {version[:40]!r} of the model {name[:300]!r}.",
            hint="Versions are numbers; an alias stands in the name: name@alias.",
            param="model_version",
        )
    return f"{name}@{int(version)}"


async def versions_of(engine: Engine, version: Version) -> list[Version]:
    """Return all versions of the model that one belongs to."""
    return await asyncio.to_thread(engine.registry.versions, version.name)


def told(error: ServeryError) -> str:
    """Return an error as one text.

    >>> told(ModelNotFoundError("There is no such model.", hint="GET /v2/models lists them."))
    'There is no such model. GET /v2/models lists them.'
    """
    return f"{error.message} {error.hint}" if error.hint else error.message


def plain_error(error: ServeryError, request_id: str) -> Any:
    """Return the error object that the protocol's clients read: a sentence; and what else ours has."""
    return {"error": told(error), "code": error.code, "param": error.param, "request_id": request_id}
