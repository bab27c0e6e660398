"""A house with a registry, and a folder of finished files of every allowed kind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from safetensors.numpy import save_file
from sqlalchemy import text

from servery.registry.registry import Registry
from servery.storage.database import Database

ONNX = bytes.fromhex(
    "080a3a2d0a100a017812017922084964656e74697479120567726170682a120a010210014201774a080000000000000000"
)
"""A model of one Identity node and one tensor of two numbers, written by hand after onnx.proto."""


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file with its tables made; copying it is faster than making them again."""
    file = tmp_path_factory.mktemp("empty") / "servery.db"
    Database.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Iterator[Database]:
    (tmp_path / "house").mkdir()
    shutil.copy(empty_database, tmp_path / "house" / "servery.db")
    opened = Database.open(f"sqlite:///{tmp_path}/house/servery.db")
    yield opened
    opened.close()


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    return Registry(database, tmp_path / "house" / "artifacts")


@pytest.fixture
def facts() -> dict[str, Any]:
    return {
        "task": "classification",
        "field": "sentiment-analysis",
        "recipe": "mlp",
        "plan": 'name = "reviews"\n',
        "metrics": {"macro_f1": {"value": 0.75, "low": 0.7, "high": 0.8}},
        "lineage": {"data_fingerprint": "ab" * 32, "packages": {"numpy": "2.0"}},
    }


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    folder = tmp_path / "staged"
    folder.mkdir()
    (folder / "predictor.json").write_text(json.dumps({"labels": ["坏", "好"]}, ensure_ascii=False), "utf-8")
    (folder / "model.txt").write_text("tree\nversion=v4\n")
    (folder / "plan.toml").write_text('name = "reviews"\n')
    (folder / "README.md").write_text("# reviews\n")
    (folder / "report.html").write_text("<!doctype html><title>reviews</title>")
    (folder / "text").mkdir()
    tensors = {"weight": np.arange(12, dtype=np.float32).reshape(3, 4), "bias": np.zeros(3, np.float32)}
    save_file(tensors, folder / "text" / "weights.safetensors")
    (folder / "model.onnx").write_bytes(ONNX)
    return folder


class CheckSound(Protocol):
    """Fails unless nothing is torn, nothing dangles, and after a sweep nothing is left over."""

    def __call__(self, home: Path, database: Database, registry: Registry) -> None: ...


@pytest.fixture
def check_sound() -> CheckSound:
    return _check_sound


def _check_sound(home: Path, database: Database, registry: Registry) -> None:
    with database.read() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    assert [problems for _, problems in registry.verify_all() if problems] == []
    registry.sweep(0)
    artifacts = home / "artifacts"
    assert {p.name for p in artifacts.glob("??/*")} == {v.digest for v in registry.versions()}
    assert list((artifacts / ".staging").iterdir()) == []
