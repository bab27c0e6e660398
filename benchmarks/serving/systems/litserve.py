"""LitServe with batching and two API servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models import Made
from systems._system import PROGRAMS, System, json_bytes


class LitServe(System):
    """One model worker (a second one was slower), two API server processes."""

    name = "litserve"
    title = "LitServe, batching, 2 API servers"
    requirements = ("litserve==0.2.19", "uvloop", "httptools")

    def command(self, made: Made, port: int, work: Path) -> list[str]:
        """Return how it is started."""
        return [str(self.python), str(PROGRAMS / "litserve_program.py"), str(port)]

    def path(self, made: Made, wire: str) -> str:
        """Return the path of a prediction."""
        return "/predict"

    def body(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the body that asks about one input."""
        return json_bytes({"input": value})

    def scores(self, made: Made, head: bytes, body: bytes, wire: str) -> list[float]:
        """Return the scores of an answer."""
        return list(json.loads(body)["scores"])


SYSTEM = LitServe()
