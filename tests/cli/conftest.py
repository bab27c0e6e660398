"""A data home and a small csv for the command line's tests."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from servery.fields._field import find_field

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def servery(home: Path) -> Run:
    """Run the real command line in its own process and data home."""

    def run(*words: str, status: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SERVERY_HOME": str(home), "SERVERY_PORT": "1"}
        environment.pop("SERVERY_DATA", None)
        result = subprocess.run(
            [sys.executable, "-m", "servery.cli.main", *words],
            capture_output=True,
            text=True,
            input=stdin,
            env=environment,
            timeout=120,
            check=False,
        )
        assert result.returncode == status, f"{words}: {result.stdout}\n{result.stderr}"
        return result

    return run


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A csv of reviews, as a newcomer might bring one."""
    dataset = find_field("sentiment-analysis").offers[0].sample(400, 1)
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    names = [dataset.inputs[0].name, dataset.target.name]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "label"])
        writer.writerows(zip(*(dataset[name] for name in names), strict=True))
    return path
