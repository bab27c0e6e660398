"""What must be known about a system: what to install, how to start it, how it is asked and how it answers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from workloads import cache_folder

from models import Made

HERE = Path(__file__).parent.parent
PROGRAMS = HERE / "programs"
SOURCE = HERE.parents[1] / "src"
COMMON = ("torch==2.13.0", "onnxruntime>=1.20", "tokenizers>=0.21")
"""What the model needs, in every environment."""


class System(ABC):
    """A system under test."""

    name: ClassVar[str]
    title: ClassVar[str]
    """How the table calls it, with the settings that matter."""
    requirements: ClassVar[tuple[str, ...]] = ()
    """What pip installs into its environment besides `COMMON`."""
    wires: ClassVar[frozenset[str]] = frozenset({"json"})
    warm_seconds: ClassVar[float] = 1.0
    """How long it is loaded before the first measurement of a start."""

    @abstractmethod
    def command(self, made: Made, port: int, work: Path) -> list[str]:
        """Return how it is started.

        Args:
            made: The model.
            port: Where it shall listen, on 127.0.0.1.
            work: An empty folder for whatever it writes; the working directory.
        """

    @abstractmethod
    def path(self, made: Made, wire: str) -> str:
        """Return the path of a prediction."""

    @abstractmethod
    def body(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the body that asks about one input."""

    @abstractmethod
    def scores(self, made: Made, head: bytes, body: bytes, wire: str) -> list[float]:
        """Return the scores of an answer, in the order of the labels."""

    def headers(self, made: Made, wire: str) -> Mapping[str, str]:
        """Return headers besides Host and Content-Length."""
        return {"content-type": "application/json"}

    def environment(self, made: Made, port: int, work: Path) -> dict[str, str]:
        """Return environment variables beyond those that all systems get."""
        return {}

    @property
    def home(self) -> Path:
        """The environment it is installed in."""
        return cache_folder() / self.name

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return self.home / "bin" / "python"

    def missing(self) -> str:
        """Return what keeps it from running here; "" for nothing."""
        if not (self.home / ".installed").exists():
            return "not installed; run install.py"
        return ""

    def install(self) -> None:
        """Make its environment.

        Raises:
            CalledProcessError: pip failed.
        """
        if not self.requirements or (self.home / ".installed").exists():
            return
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(self.home)], check=True)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", *COMMON, *self.requirements]
        subprocess.run(pip, check=True, preexec_fn=lambda: os.nice(10) and None)
        (self.home / ".installed").touch()

    def version(self) -> str:
        """Return the version of what is measured, e.g. "litserve 0.2.19"."""
        if not self.requirements:
            return ""
        package = self.requirements[0].partition("=")[0].partition("[")[0]
        script = f"from importlib.metadata import version; print('{package}', version('{package}'))"
        return subprocess.run(
            [str(self.python), "-c", script], capture_output=True, text=True, check=True
        ).stdout.strip()

    def request(self, made: Made, value: Any, wire: str) -> bytes:
        """Return the whole HTTP request about one input."""
        body = self.body(made, value, wire)
        lines = [f"POST {self.path(made, wire)} HTTP/1.1", "host: 127.0.0.1"]
        lines += [f"{name}: {text}" for name, text in self.headers(made, wire).items()]
        lines += self.more_lines(made, value, wire)
        return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body

    def more_lines(self, made: Made, value: Any, wire: str) -> list[str]:
        """Return header lines that depend on the input."""
        return []

    def all_variables(self, made: Made, port: int, work: Path) -> dict[str, str]:
        """Return the environment it runs in: one thread for the model, its own programs first."""
        variables = dict(os.environ)
        variables |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        variables |= {
            "PATH": f"{self.home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": os.pathsep.join([str(PROGRAMS), str(SOURCE)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BENCHMARK_MODEL": str(made.folder),
            "BENCHMARK_MAX_BATCH_ROWS": str(made.model.max_batch_rows),
        }
        return variables | self.environment(made, port, work)


def json_bytes(value: Any) -> bytes:
    """Return compact JSON, as clients send it."""
    return json.dumps(value, separators=(",", ":")).encode()


def has_java() -> bool:
    """Whether a Java runtime is there."""
    return shutil.which("java") is not None


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
