"""BentoML with adaptive batching."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models import Made
from systems._system import System, json_bytes


class BentoMl(System):
    """Two workers that batch; one gave half as much."""

    name = "bentoml"
    title = "BentoML, adaptive batching, 2 workers"
    requirements = ("bentoml==1.4.39",)

    def command(self, made: Made, port: int, work: Path) -> list[str]:
        """Return how it is started."""
        serve = ["serve", "bentoml_program:Served", "--host", "127.0.0.1", "--port", str(port)]
        return [str(self.home / "bin" / "bentoml"), *serve]

    def environment(self, made: Made, port: int, work: Path) -> dict[str, str]:
        """Keep its store in the folder of this run, and send nothing home."""
        return {
            "BENTOML_HOME": str(work / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
        }

    def path(self, made: Made, wire: str) -> str:
        """Return the path of a prediction."""
        return "/predict"

    def body(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the body that asks about one input."""
        return json_bytes({"inputs": [value]})

    def scores(self, made: Made, head: bytes, body: bytes, wire: str) -> list[float]:
        """Return the scores of an answer."""
        return list(json.loads(body)[0])


SYSTEM = BentoMl()
