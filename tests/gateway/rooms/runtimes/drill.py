"""A model that sleeps and fails on order; each row's answer depends on that row alone, bit for bit."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from servery.models.encoder import Batch
from servery.models.runtime import Runtime


class DrillRuntime(Runtime):
    name = "drill"

    def __init__(self, tilt: float = 0.0) -> None:
        self.tilt = tilt
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def run(self, batch: Batch) -> np.ndarray:
        self.gate.wait(10)
        rows = len(batch["length"])
        self.batches.append(rows)
        time.sleep(float(batch["sleep"].max(initial=0.0)))
        if (batch["poison"] == 1).any():
            raise RuntimeError("the canary of a secret text")
        outputs = np.stack([batch["length"] * np.float32(0.01), np.full(rows, self.tilt, np.float32)], axis=1)
        outputs[batch["poison"] == 2] = np.nan
        return np.asarray(outputs, np.float32)

    def save(self, folder: Path) -> None:
        (folder / "drill.json").write_text(json.dumps({"tilt": self.tilt}))

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> DrillRuntime:
        tilt = json.loads((folder / "drill.json").read_text())["tilt"]
        if tilt == "broken":
            raise RuntimeError("this version cannot be loaded")
        return cls(tilt)


RUNTIME = DrillRuntime
