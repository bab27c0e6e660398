"""Servery as it ships: `servery serve`, with a key, its limits, metrics and the request log."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models import Made
from systems._system import System, json_bytes
from systems.triton import binary_head, binary_scores


class Servery(System):
    """The environment these scripts run in.

    Args:
        name: "servery", or another for another number of workers.
        workers: Processes that share the port.
    """

    wires = frozenset({"json", "binary"})

    def __init__(self, name: str, workers: int) -> None:
        self.name = name  # type: ignore[misc]
        self.title = f"Servery, {workers} worker{'s'[: workers - 1]}"  # type: ignore[misc]
        self.workers = workers

    @property
    def home(self) -> Path:
        """The environment it is installed in."""
        return Path(sys.executable).parent.parent

    def missing(self) -> str:
        """Nothing is: it is what runs this."""
        return ""

    def version(self) -> str:
        """Return the version and the commit."""
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
        )
        return f"servery {described.stdout.strip()}"

    def command(self, made: Made, port: int, work: Path) -> list[str]:
        """Return how it is started."""
        return [str(self.home / "bin" / "servery"), "serve", "--port", str(port)]

    def environment(self, made: Made, port: int, work: Path) -> dict[str, str]:
        """Name the data home, the workers, and any free port for gRPC."""
        return {
            "SERVERY_HOME": str(made.home),
            "SERVERY_WORKERS": str(self.workers),
            "SERVERY_GRPC_PORT": "0",
            "PYTHONPATH": "",
        }

    def path(self, made: Made, wire: str) -> str:
        """Return the path of a prediction."""
        name = made.model.name
        return f"/v2/models/{name}/infer" if wire == "binary" else f"/v1/models/{name}/predict"

    def headers(self, made: Made, wire: str) -> Mapping[str, str]:
        """Return headers besides Host and Content-Length."""
        kind = "application/octet-stream" if wire == "binary" else "application/json"
        return {"authorization": f"Bearer {made.secret}", "content-type": kind}

    def more_lines(self, made: Made, value: Any, wire: str) -> list[str]:
        """Say where the tensors begin."""
        return [f"inference-header-content-length: {len(binary_head())}"] if wire == "binary" else []

    def body(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the body that asks about one input."""
        if wire == "binary":
            return binary_head() + np.array(value, np.float32).tobytes()
        return json_bytes({"inputs": [value]})

    def scores(self, made: Made, head: bytes, body: bytes, wire: str) -> list[float]:
        """Return the scores of an answer, sorted by the number of their label."""
        if wire == "binary":
            return binary_scores(head, body)
        labels = json.loads(body)["outputs"][0]["labels"]
        return [entry["score"] for entry in sorted(labels, key=lambda entry: int(entry["label"].split()[1]))]


SYSTEM = Servery("servery", workers=2)
ONE_WORKER = Servery("servery-1", workers=1)
