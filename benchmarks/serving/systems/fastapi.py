"""FastAPI on uvicorn with two workers: what most people write themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workloads import cache_folder

from models import Made
from systems._system import System, json_bytes


class FastApi(System):
    """Typed bodies, uvloop and httptools, no access log; no batching, for there is none to switch on.

    Args:
        name: "fastapi", or another for the other way to write it.
        is_plain: Always a plain function in the thread pool; else for the small model a coroutine, which is quicker.
    """

    requirements = ("fastapi==0.165.0", "uvicorn[standard]==0.54.0")

    def __init__(self, name: str, *, is_plain: bool) -> None:
        self.name = name  # type: ignore[misc]
        self.title = f"FastAPI + uvicorn, 2 workers{', plain function' * is_plain}"  # type: ignore[misc]
        self.is_plain = is_plain

    @property
    def home(self) -> Path:
        """One environment for both."""
        return cache_folder() / "fastapi"

    def environment(self, made: Made, port: int, work: Path) -> dict[str, str]:
        """Say which way."""
        return {"BENCHMARK_PLAIN": str(int(self.is_plain))}

    def command(self, made: Made, port: int, work: Path) -> list[str]:
        """Return how it is started."""
        serve = ["-m", "uvicorn", "fastapi_program:app", "--port", str(port), "--workers", "2"]
        return [str(self.python), *serve, "--no-access-log", "--log-level", "warning"]

    def path(self, made: Made, wire: str) -> str:
        """Return the path of a prediction."""
        return "/predict"

    def body(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the body that asks about one input."""
        return json_bytes({"inputs": [value]})

    def scores(self, made: Made, head: bytes, body: bytes, wire: str) -> list[float]:
        """Return the scores of an answer."""
        return list(json.loads(body)["scores"][0])


COROUTINE = FastApi("fastapi", is_plain=False)
PLAIN = FastApi("fastapi-def", is_plain=True)
