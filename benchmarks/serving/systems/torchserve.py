"""TorchServe, warm: a Java front and a Python worker; no longer developed, still the quickest peer that was found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from models import Made
from systems._system import PROGRAMS, System, free_port, has_java, json_bytes


class TorchServe(System):
    """Batches of up to 64 after 1 ms; loaded for some seconds first, because its Java compiles while it runs."""

    name = "torchserve"
    title = "TorchServe, warm, batching after 1 ms"
    requirements = ("torchserve==0.12.0", "torch-model-archiver==0.12.0", "pyyaml", "setuptools<81")
    warm_seconds = 10.0

    def missing(self) -> str:
        """Return what keeps it from running here."""
        return super().missing() or ("" if has_java() else "no java on the path; it needs version 17")

    def command(self, made: Made, port: int, work: Path) -> list[str]:
        """Archive the model, write the configuration, and return how it is started."""
        store = work / "store"
        store.mkdir()
        archiver = [
            str(self.home / "bin" / "torch-model-archiver"),
            "--model-name",
            "model",
            "--version",
            "1.0",
        ]
        handler = ["--handler", str(PROGRAMS / "torchserve_program.py"), "--export-path", str(store)]
        subprocess.run([*archiver, *handler], check=True, capture_output=True, cwd=work)
        (work / "config.properties").write_text(_configuration(made, port), encoding="utf-8")
        (work / "log4j2.xml").write_text(QUIET, encoding="utf-8")
        options = ["--model-store", str(store), "--ts-config", str(work / "config.properties")]
        quiet = ["--log-config", str(work / "log4j2.xml")]
        return [str(self.home / "bin" / "torchserve"), "--start", "--foreground", "--ncs", *options, *quiet]

    def environment(self, made: Made, port: int, work: Path) -> dict[str, str]:
        """Keep its logs and its process file in the folder of this run."""
        logs = {name: str(work / "logs") for name in ("LOG_LOCATION", "METRICS_LOCATION")}
        return {**logs, "TMPDIR": str(work), "TS_DISABLE_TOKEN_AUTHORIZATION": "true"}

    def path(self, made: Made, wire: str) -> str:
        """Return the path of a prediction."""
        return "/predictions/model"

    def body(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the body that asks about one input."""
        return json_bytes({"input": value})

    def scores(self, made: Made, head: bytes, body: bytes, wire: str) -> list[float]:
        """Return the scores of an answer."""
        return list(json.loads(body)["scores"])


def _configuration(made: Made, port: int) -> str:
    rows = made.model.max_batch_rows
    model = {
        "defaultVersion": True,
        "marName": "model.mar",
        "minWorkers": 1,
        "maxWorkers": 1,
        "batchSize": rows,
        "maxBatchDelay": 1,
        "responseTimeout": 120,
    }
    lines = {
        "inference_address": f"http://127.0.0.1:{port}",
        "management_address": f"http://127.0.0.1:{free_port()}",
        "metrics_address": f"http://127.0.0.1:{free_port()}",
        "grpc_inference_port": free_port(),
        "grpc_management_port": free_port(),
        "disable_token_authorization": "true",
        "enable_envvars_config": "false",
        "job_queue_size": 2000,
        "load_models": "model.mar",
        "models": json.dumps({"model": {"1.0": model}}),
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


QUIET = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration>
  <Appenders><Console name="console"><PatternLayout pattern="%d %p %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="console"/></Root></Loggers>
</Configuration>
"""
"""No line per request: its default writes several to disk."""

SYSTEM = TorchServe()
