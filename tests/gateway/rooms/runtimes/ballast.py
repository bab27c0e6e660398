"""A model that is heavy on order, and slow to load; which one answered can be seen from the answer."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from servery.models.encoder import Batch
from servery.models.runtime import Runtime


class BallastRuntime(Runtime):
    name = "ballast"

    def __init__(self, mark: int, size_bytes: int, load_seconds: float = 0.0) -> None:
        self.facts = {"mark": mark, "size_bytes": size_bytes, "load_seconds": load_seconds}
        self.content = np.full(size_bytes, mark % 251, np.uint8)

    def run(self, batch: Batch) -> np.ndarray:
        time.sleep(float(batch["sleep"].max(initial=0.0)))
        bit = float(self.facts["mark"]) % 2
        return np.tile(np.array([10 * (1 - bit), 10 * bit], np.float32), (len(batch["length"]), 1))

    def save(self, folder: Path) -> None:
        (folder / "ballast.json").write_text(json.dumps(self.facts))
        save_file({"content": self.content}, folder / "ballast.safetensors")

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> BallastRuntime:
        facts = json.loads((folder / "ballast.json").read_text())
        time.sleep(facts["load_seconds"])
        return cls(**facts)


RUNTIME = BallastRuntime
