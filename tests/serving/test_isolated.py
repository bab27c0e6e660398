"""A model in a process of its own: what it does to itself, it does to nobody else."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.errors import ArtifactError, ModelCrashedError, NonFiniteError
from servery.models.predictor import Predictor
from servery.serving.batcher import Batcher
from servery.serving.isolated import IsolatedRuntime
from servery.tasks.classification import ClassificationParameters

ALL = ClassificationParameters()
FOREVER = 1e12
BATCH = {"x": np.array([[3.0, 2.0, 1.0]], np.float32)}


@pytest.fixture
def folder(obedient: Predictor, tmp_path: Path) -> Path:
    return obedient.save(tmp_path)


@pytest.fixture
def runtime(folder: Path) -> Iterator[IsolatedRuntime]:
    made = IsolatedRuntime(folder, threads=1, timeout_seconds=2.0)
    yield made
    made.close()
    until(lambda: not is_alive(made.process_id))


@pytest.fixture
def batcher(folder: Path, runtime: IsolatedRuntime) -> Iterator[Batcher]:
    made = Batcher(Predictor.load(folder, runtime=runtime), max_batch_rows=8, max_queue_rows=100)
    yield made
    made.close()


def example(**values: Any) -> dict[str, Any]:
    return {"word": 3.0, "value": 2.0, "rounds": 1.0, **values}


def until(fact: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_resting(runtime: IsolatedRuntime) -> bool:
    try:
        runtime.run(BATCH)
    except ModelCrashedError as error:
        return "started again" in error.message
    return False


def answers(runtime: IsolatedRuntime) -> bool:
    try:
        return len(runtime.run(BATCH)) == 1
    except ModelCrashedError:
        return False


def test_it_answers_bit_for_bit_like_the_same_model_here(
    obedient: Predictor, folder: Path, runtime: IsolatedRuntime
) -> None:
    examples = [example(word=float(word)) for word in range(20)]
    assert Predictor.load(folder, runtime=runtime).predict(examples) == obedient.predict(examples)
    assert runtime.name == "onnx"


def test_its_process_loads_neither_the_gateway_nor_what_its_runtime_does_not_need(
    runtime: IsolatedRuntime,
) -> None:
    maps = Path(f"/proc/{runtime.process_id}/maps").read_text()
    assert "onnxruntime" in maps
    for unwanted in ("libtorch", "uvloop", "lightgbm", "httptools", "sqlite"):
        assert unwanted not in maps
    assert 10 * 2**20 < runtime.memory_bytes < 500 * 2**20


def test_its_process_sees_no_secret_of_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVERY_API_KEY", "canary")
    runtime = IsolatedRuntime(folder, threads=1, timeout_seconds=2.0)
    assert b"canary" not in Path(f"/proc/{runtime.process_id}/environ").read_bytes()
    runtime.close()


async def test_a_bad_input_is_an_error_and_kills_nothing(batcher: Batcher, runtime: IsolatedRuntime) -> None:
    process_id = runtime.process_id
    with pytest.raises(RuntimeError, match="out of data bounds"):
        await batcher.submit([example(word=99.0)], ALL)
    with pytest.raises(NonFiniteError):
        await batcher.submit([example(value=-1.0)], ALL)
    assert len((await batcher.submit([example()], ALL)).answers) == 1
    assert runtime.process_id == process_id


async def test_a_killed_process_fails_its_requests_clearly_and_the_next_are_answered(
    batcher: Batcher, runtime: IsolatedRuntime
) -> None:
    expected = (await batcher.submit([example()], ALL)).answers
    under_way = asyncio.create_task(batcher.submit([example(rounds=FOREVER)], ALL))
    await asyncio.sleep(0.2)
    first = runtime.process_id
    os.kill(first, signal.SIGKILL)
    with pytest.raises(ModelCrashedError) as told:
        await under_way
    assert told.value.retry_after_seconds is not None
    assert (await batcher.submit([example()], ALL)).answers == expected
    assert runtime.process_id != first


async def test_a_process_killed_while_idle_is_back_before_anyone_asks(
    batcher: Batcher, runtime: IsolatedRuntime
) -> None:
    first = runtime.process_id
    os.kill(first, signal.SIGKILL)
    until(lambda: runtime.process_id != first)
    assert len((await batcher.submit([example()], ALL)).answers) == 1


async def test_a_forward_pass_that_hangs_is_ended_and_does_not_hold_up_the_loop(
    batcher: Batcher, runtime: IsolatedRuntime
) -> None:
    first = runtime.process_id
    started = time.monotonic()
    hung = asyncio.create_task(batcher.submit([example(rounds=FOREVER)], ALL))
    longest = 0.0
    while not hung.done():
        before = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - before)
    with pytest.raises(ModelCrashedError, match="within 2 seconds"):
        await hung
    assert time.monotonic() - started < 6
    assert longest < 0.5
    assert not is_alive(first)
    assert len((await batcher.submit([example()], ALL)).answers) == 1


def test_one_that_dies_again_and_again_is_left_to_rest_and_says_for_how_long(
    runtime: IsolatedRuntime,
) -> None:
    seen = {runtime.process_id}
    for _ in range(3):
        os.kill(runtime.process_id, signal.SIGKILL)
        until(lambda: runtime.process_id not in seen or (runtime.process_id in seen and is_resting(runtime)))
        if is_resting(runtime):
            break
        seen.add(runtime.process_id)
    with pytest.raises(ModelCrashedError, match="started again") as told:
        runtime.run(BATCH)
    assert told.value.retry_after_seconds == 1
    until(lambda: answers(runtime))


def test_memory_beyond_the_bound_is_refused_there(folder: Path) -> None:
    runtime = IsolatedRuntime(folder, threads=1, timeout_seconds=10.0, memory_bytes=600 * 2**20)
    few = {"x": np.ones((4, 3), np.float32)}
    many = {"x": np.ones((2_000_000, 3), np.float32)}  # 64 numbers a row: 512 MB at each step
    assert len(runtime.run(few)) == 4
    with pytest.raises((RuntimeError, ModelCrashedError)):
        runtime.run(many)
    until(lambda: answers(runtime))
    runtime.close()


def test_a_torn_model_is_told_as_such(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"torn")
    with pytest.raises(ArtifactError, match="cannot be read"):
        IsolatedRuntime(folder, threads=1, timeout_seconds=2.0)


def test_the_process_ends_when_its_server_is_killed(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from servery.serving.isolated import IsolatedRuntime\n"
        f"runtime = IsolatedRuntime(Path({str(folder)!r}), threads=1, timeout_seconds=9)\n"
        "print(runtime.process_id, flush=True); time.sleep(60)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    child = int(server.stdout.readline())
    assert is_alive(child)
    server.kill()
    server.wait()
    server.stdout.close()
    until(lambda: not is_alive(child))
