"""NVIDIA Triton through PyTriton: the C++ server with its Python backend, JSON and binary tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models import Made
from systems._system import PROGRAMS, System, json_bytes


class Triton(System):
    """Dynamic batching without a delay, which is Triton's own default."""

    name = "triton"
    title = "Triton through PyTriton, dynamic batching"
    requirements = ("nvidia-pytriton==0.7.0",)
    wires = frozenset({"json", "binary"})

    def command(self, made: Made, port: int, work: Path) -> list[str]:
        """Return how it is started."""
        return [str(self.python), str(PROGRAMS / "triton_program.py"), str(port)]

    def environment(self, made: Made, port: int, work: Path) -> dict[str, str]:
        """Keep its files in the folder of this run."""
        return {"PYTRITON_HOME": str(work / "pytriton"), "TMPDIR": str(work)}

    def install(self) -> None:
        """Make its environment, and let its Python stub start on Python 3.11.7 and later.

        The stub carries an older interpreter, whose locks lack a method that the standard library calls once, at
        start. A lock written in Python has it. Nothing changes on the way of a request.
        """
        super().install()
        [data] = self.home.glob("lib/python*/site-packages/pytriton/proxy/data.py")
        if PATCH not in (text := data.read_text(encoding="utf-8")):
            data.write_text(text + PATCH, encoding="utf-8")

    def path(self, made: Made, wire: str) -> str:
        """Return the path of a prediction."""
        return "/v2/models/model/infer"

    def headers(self, made: Made, wire: str) -> Mapping[str, str]:
        """Return headers besides Host and Content-Length."""
        if wire == "binary":
            return {"content-type": "application/octet-stream"}
        return {"content-type": "application/json"}

    def more_lines(self, made: Made, value: Any, wire: str) -> list[str]:
        """Say where the tensors begin."""
        return [f"inference-header-content-length: {len(binary_head())}"] if wire == "binary" else []

    def body(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the body that asks about one input."""
        if wire == "binary":
            return binary_head() + np.array(value, np.float32).tobytes()
        if made.model.is_text:
            tensor = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [value]}
        else:
            tensor = {"name": "x", "shape": [1, len(value)], "datatype": "FP32", "data": value}
        return json_bytes({"inputs": [tensor], "outputs": [{"name": "scores"}]})

    def scores(self, made: Made, head: bytes, body: bytes, wire: str) -> list[float]:
        """Return the scores of an answer."""
        if wire == "binary":
            return binary_scores(head, body)
        return list(json.loads(body)["outputs"][0]["data"])


def binary_head(name: str = "x", output: str = "scores", width: int = 784) -> bytes:
    """Return the JSON before a binary tensor of one row, which is answered in binary too."""
    tensor = {
        "name": name,
        "shape": [1, width],
        "datatype": "FP32",
        "parameters": {"binary_data_size": 4 * width},
    }
    return json_bytes(
        {"inputs": [tensor], "outputs": [{"name": output, "parameters": {"binary_data": True}}]}
    )


def binary_scores(head: bytes, body: bytes) -> list[float]:
    """Return the numbers behind the JSON of an answer with one binary tensor."""
    line = next(
        line for line in head.lower().split(b"\r\n") if line.startswith(b"inference-header-content-length:")
    )
    start = int(line.partition(b":")[2])
    size = json.loads(body[:start])["outputs"][0]["parameters"]["binary_data_size"]
    return [float(number) for number in np.frombuffer(body[start : start + size], np.float32)]


PATCH = """
from multiprocessing import resource_tracker

if not hasattr(threading.RLock(), "_recursion_count"):
    resource_tracker._resource_tracker._lock = threading._PyRLock()
"""

SYSTEM = Triton()
