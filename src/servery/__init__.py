"""Servery: models, served. From your data to a governed production API."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The face is looked up on first use: `import servery` costs milliseconds and loads neither torch nor the server.
_FACE: dict[str, str] = {}

__all__ = ["__version__", *sorted(_FACE)]


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module 'servery' has no attribute {name!r}")
    return getattr(import_module(_FACE[name]), name)


if TYPE_CHECKING:
    pass
