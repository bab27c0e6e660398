"""MLServer with adaptive batching, the model in its own process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models import Made
from systems._system import System, free_port, json_bytes


class MlServer(System):
    """In-process (its parallel workers cost more than they give here), batches after 0.5 ms."""

    name = "mlserver"
    title = "MLServer, batching after 0.5 ms"
    requirements = ("mlserver==1.7.1", "uvloop<0.22")

    def command(self, made: Made, port: int, work: Path) -> list[str]:
        """Write its two settings files, and return how it is started."""
        settings = {
            "debug": False,
            "host": "127.0.0.1",
            "http_port": port,
            "grpc_port": free_port(),
            "metrics_port": free_port(),
            "parallel_workers": 0,
            "environments_dir": str(work / "environments"),
        }
        model = {
            "name": "model",
            "implementation": "mlserver_program.Served",
            "max_batch_size": made.model.max_batch_rows,
            "max_batch_time": 0.0005,
        }
        (work / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        (work / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
        return [str(self.home / "bin" / "mlserver"), "start", str(work)]

    def path(self, made: Made, wire: str) -> str:
        """Return the path of a prediction."""
        return "/v2/models/model/infer"

    def body(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the body that asks about one input."""
        if made.model.is_text:
            tensor = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [value]}
        else:
            tensor = {"name": "x", "shape": [1, len(value)], "datatype": "FP32", "data": value}
        return json_bytes({"inputs": [tensor]})

    def scores(self, made: Made, head: bytes, body: bytes, wire: str) -> list[float]:
        """Return the scores of an answer."""
        return list(json.loads(body)["outputs"][0]["data"])


SYSTEM = MlServer()
