"""The tiny training, as a module for tests in this process and as processes to kill."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "tiny.py"


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tiny_training", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Nursery:
    """Starts training processes, one at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def start(self, **order: Any) -> int:
        """Start a training and return its process id."""
        self._write(json.dumps(order, default=str))
        return int(json.loads(self._read())["pid"])

    def wait(self) -> int:
        """Wait for the training's end and return its exit code, negative for a signal."""
        self._read()
        self._write("")
        return int(json.loads(self._read())["exit_code"])

    def run(self, **order: Any) -> int:
        self.start(**order)
        return self.wait()

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    assert nursery.process.stdin is not None
    assert nursery.process.stdout is not None
    nursery.process.stdin.close()
    nursery.process.wait(timeout=30)
    nursery.process.stdout.close()
