"""`servery jobs`, and `servery run --batch` with a running server: the batch is a job, found again when asked again."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOUSE = Path(__file__).parents[1] / "gateway" / "house.py"
Servery = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server with the drill, and what a command needs to find it."""
    spec = importlib.util.spec_from_file_location("servery_cli_house", HOUSE)
    assert spec is not None
    assert spec.loader is not None
    house = sys.modules["servery_cli_house"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(house)
    folder = tmp_path_factory.mktemp("jobs") / "home"
    with house.open_home(folder) as home:
        home.register("drill", house.drill(), "production")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    bounds = {"SERVERY_PORT": port, "SERVERY_GRPC_PORT": "off", "SERVERY_MAX_BATCH_ROWS": "4"}
    server = house.ServerProcess(folder, bounds)
    server.wait_until_ready()
    yield {**os.environ, "SERVERY_HOME": str(folder), "SERVERY_PORT": port, "OMP_NUM_THREADS": "1"}
    assert server.stop() == 0


@pytest.fixture
def servery(environment: dict[str, str], tmp_path: Path) -> Servery:
    def run(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            command(words), env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == status, result.stderr
        return result

    return run


def command(words: Any) -> list[str]:
    return [sys.executable, "-m", "servery.cli.main", *words]


def write_rows(path: Path, count: int, seconds: float) -> None:
    path.write_text("id,text\n" + "".join(f"r{i},sleep={seconds} {i}\n" for i in range(count)))


def test_a_batch_becomes_a_job_that_a_killed_command_finds_again(
    servery: Servery, environment: dict[str, str], tmp_path: Path
) -> None:
    write_rows(tmp_path / "rows.csv", 300, 0.02)
    words = ("run", "drill", "--batch", "rows.csv", "--output", "answers.jsonl")
    killed = subprocess.Popen(
        command(words), env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    partial = tmp_path / "answers.jsonl.partial"
    until = time.monotonic() + 30
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < until:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    listed = json.loads(servery("jobs", "list", "--json").stdout)
    assert len(listed) == 1
    assert "300 rows answered, 0 rows with an error" in servery(*words).stderr
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [(line["line"], line["id"]) for line in lines] == [(i + 2, f"r{i}") for i in range(300)]
    assert json.loads(servery("jobs", "list", "--json").stdout) == []


def test_a_batch_on_the_screen_ends_with_7_when_a_row_has_an_error(servery: Servery, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('"fine"\n"poison"\n7\n')
    lines = servery("run", "drill", "--batch", "rows.jsonl", status=7).stdout.splitlines()
    assert ["answer" in json.loads(line) for line in lines] == [True, False, False]


def test_jobs_are_shown_watched_read_cancelled_resumed_and_removed(
    servery: Servery, environment: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import servery\n"
        "with servery.Client() as client:\n"
        "    inputs = [f'sleep=0.1 {i}' for i in range(400)]\n"
        "    print(client.jobs.create('drill', inputs, id='mine').id)\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert made.stdout.strip() == "mine"
    assert "cancelled" in servery("jobs", "cancel", "mine").stdout
    assert "mine" in servery("jobs", "list").stdout
    assert json.loads(servery("jobs", "show", "mine", "--json").stdout)["model"] == "drill@1"
    assert "was cancelled" in servery("jobs", "results", "mine", status=1).stderr
    assert "queued" in servery("jobs", "resume", "mine").stdout
    assert "succeeded" in servery("jobs", "watch", "mine").stdout
    servery("jobs", "results", "mine", "--output", "results.jsonl")
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 400
    assert "Removed mine" in servery("jobs", "remove", "mine").stdout
    assert "There is no job 'mine'" in servery("jobs", "show", "mine", status=5).stderr
