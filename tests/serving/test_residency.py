"""Many models under a bound of memory: loaded on demand, evicted by what it costs to have them back."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

import servery.models.encoders
import servery.models.runtimes
from servery.discovery import module_names
from servery.errors import ModelLoadError
from servery.serving.engine import Engine
from servery.serving.memory import MB
from servery.tasks.classification import ClassificationParameters

ALL = ClassificationParameters()
CAP_MB = 40
HEAVY = 12 * MB
"""Three fit under the cap with room for what else a process grows by; four do not."""


@pytest.fixture(autouse=True)
def _drill_rooms(house: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for package, room in ((servery.models.encoders, "encoders"), (servery.models.runtimes, "runtimes")):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(house.ROOMS / room)])
    module_names.cache_clear()
    yield
    monkeypatch.undo()
    module_names.cache_clear()


@pytest.fixture
def capped(house: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with house.open_home(tmp_path / "home", model_memory_mb=CAP_MB, placement="thread") as opened:
        yield opened


@pytest.fixture
async def engine(capped: Any) -> AsyncIterator[Engine]:
    engine = Engine(capped.registry, capped.settings)
    yield engine
    await engine.stop()


def ballast(house: ModuleType, mark: int, size_bytes: int = HEAVY, load_seconds: float = 0.0) -> Any:
    from servery.data.columns import Kind

    runtime = house.load_room("runtimes/ballast").BallastRuntime(mark, size_bytes, load_seconds)
    encoder = house.load_room("encoders/drill").DrillEncoder()
    return house.predictor([("text", Kind.TEXT)], ("even", "odd"), encoder, runtime, "hello")


async def ask(engine: Engine, reference: str, text: str = "hello") -> str:
    replica = await engine.replica(reference)
    with replica.lease():
        answered = await replica.answer(replica.read(text), ALL)
    return str(answered.answers[0].label)  # type: ignore[attr-defined]


def states(engine: Engine) -> dict[str, str]:
    return {row.reference: row.state for row in engine.status()}


def loaded(engine: Engine) -> set[str]:
    return {reference for reference, state in states(engine).items() if state == "ready"}


async def until_ready(engine: Engine) -> None:
    await engine.start()
    while not engine.is_ready:
        await asyncio.sleep(0.01)


async def test_what_fits_is_warm_and_the_rest_answers_on_demand(
    engine: Engine, capped: Any, house: ModuleType
) -> None:
    for mark in range(5):
        capped.register(f"heavy-{mark}", ballast(house, mark), "production")
    await until_ready(engine)
    warm = loaded(engine)
    assert 1 <= len(warm) <= 3
    assert sorted(set(states(engine).values())) == ["cold", "ready"]
    for mark in range(5):
        assert await ask(engine, f"heavy-{mark}") == ("odd" if mark % 2 else "even")
    assert sum(row.memory_bytes for row in engine.status()) <= CAP_MB * MB


async def test_what_is_used_most_for_its_cost_stays(engine: Engine, capped: Any, house: ModuleType) -> None:
    capped.register("slow-to-load", ballast(house, 0, load_seconds=0.5))
    capped.register("popular", ballast(house, 1))
    capped.register("seldom", ballast(house, 2))
    for name in ("slow-to-load", "popular", "seldom"):
        await ask(engine, name)
    for _ in range(200):
        await ask(engine, "popular")
    for mark in range(3, 6):
        capped.register(f"new-{mark}", ballast(house, mark))
        await ask(engine, f"new-{mark}")
        assert "slow-to-load@1" in loaded(engine)
        assert "popular@1" in loaded(engine)
        assert "seldom@1" not in loaded(engine)


async def test_a_version_that_answers_is_not_evicted_and_the_other_waits(
    engine: Engine, capped: Any, house: ModuleType
) -> None:
    for mark in range(4):
        capped.register(f"heavy-{mark}", ballast(house, mark))
    slow = [asyncio.create_task(ask(engine, f"heavy-{mark}", "sleep=1.2")) for mark in range(3)]
    while len(loaded(engine)) < 3 and not any(task.done() for task in slow):
        await asyncio.sleep(0.01)
    started = time.monotonic()
    assert await ask(engine, "heavy-3") == "odd"
    assert await asyncio.gather(*slow) == ["even", "odd", "even"]
    assert time.monotonic() - started > 0.2


async def test_a_version_that_is_never_idle_gives_way_for_a_while(
    engine: Engine, capped: Any, house: ModuleType
) -> None:
    for name, size in (("busy", 25 * MB), ("other", 25 * MB)):
        capped.register(name, ballast(house, 1, size))
    answers: list[str] = []
    is_over = asyncio.Event()

    async def keep_busy() -> None:
        while not is_over.is_set():
            answers.append(await ask(engine, "busy", "sleep=0.05"))

    callers = [asyncio.create_task(keep_busy()) for _ in range(3)]
    await asyncio.sleep(0.3)
    async with asyncio.timeout(10):
        assert await ask(engine, "other") == "odd"
    count = len(answers)
    while len(answers) < count + 5:  # the busy one came back
        await asyncio.sleep(0.01)
    is_over.set()
    await asyncio.gather(*callers)
    assert set(answers) == {"odd"}


async def test_a_version_that_cannot_fit_even_alone_says_so(
    engine: Engine, capped: Any, house: ModuleType
) -> None:
    capped.register("small", ballast(house, 0, MB))
    capped.register("giant", ballast(house, 1, (CAP_MB + 1) * MB), "production")
    await until_ready(engine)
    assert await ask(engine, "small") == "even"
    with pytest.raises(ModelLoadError, match=r"giant@1 take 41.0 MB.* may hold 40.0 MB") as refused:
        await ask(engine, "giant")
    assert "SERVERY_MODEL_MEMORY_MB" in str(refused.value.hint)
    assert states(engine) == {"giant@1": "failed", "small@1": "ready"}


async def test_a_swap_holds_both_versions_and_evicts_neither(
    engine: Engine, capped: Any, house: ModuleType
) -> None:
    capped.register("heavy", ballast(house, 0, 25 * MB), "production")
    capped.register("heavy", ballast(house, 1, 25 * MB, load_seconds=0.3))
    await until_ready(engine)
    capped.registry.point("heavy", "production", 2, actor="test")
    swap = asyncio.create_task(engine.refresh())
    seen = []
    while not swap.done():
        seen.append(await ask(engine, "heavy"))
        await asyncio.sleep(0.005)
    assert seen.count("even") > 5, "the old one answered while the new one was loading"
    assert await ask(engine, "heavy") == "odd"
    assert loaded(engine) == {"heavy@2"}


async def test_a_version_that_still_finishes_is_taken_back_instead_of_loaded_twice(
    engine: Engine, capped: Any, house: ModuleType
) -> None:
    capped.register("heavy", ballast(house, 0), "production")
    capped.register("heavy", ballast(house, 1))
    await until_ready(engine)
    old = await engine.replica("heavy")
    with old.lease():
        capped.registry.point("heavy", "production", 2, actor="test")
        await engine.refresh()
        assert states(engine) == {"heavy@1": "draining", "heavy@2": "ready"}
        assert await engine.replica("heavy@1") is old
    assert states(engine) == {"heavy@1": "ready", "heavy@2": "ready"}


async def test_loading_does_not_stall_the_event_loop(engine: Engine, capped: Any, house: ModuleType) -> None:
    for mark in range(6):
        capped.register(f"heavy-{mark}", ballast(house, mark, 20 * MB))
    await ask(engine, "heavy-0")
    gaps: list[float] = []
    is_over = False

    async def watch() -> None:
        while not is_over:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - before)

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*(ask(engine, f"heavy-{mark}") for mark in range(6)))
    is_over = True
    await watcher
    # A stall would be the whole of a load, some 100 ms; a shared machine makes single gaps of its own.
    assert sorted(gaps)[int(len(gaps) * 0.98)] < 0.05


def test_three_hundred_models_under_a_cap_answer_every_request(house: ModuleType, tmp_path: Path) -> None:
    names = [f"model-{number:03d}" for number in range(300)]
    with house.open_home(tmp_path / "home") as home:
        for number, name in enumerate(names):
            home.register(name, ballast(house, number, 200_000), "production")
        secret = home.key("root", "admin")
    process = house.ServerProcess(tmp_path / "home", {"SERVERY_MODEL_MEMORY_MB": "12"})
    headers = {"authorization": f"Bearer {secret}"}
    failures: list[str] = []
    chance = random.Random(3)
    work = [*range(300), *(int(chance.paretovariate(0.8)) % 300 for _ in range(300))]
    chance.shuffle(work)
    lock = threading.Lock()

    def call() -> None:
        with httpx.Client(base_url=process.url, headers=headers, timeout=60) as client:
            while True:
                with lock:
                    if not work:
                        return
                    number = work.pop()
                answer = client.post(f"/v1/models/{names[number]}/predict", json={"inputs": "hello"})
                right = "odd" if number % 2 else "even"
                if answer.status_code != 200 or answer.json()["outputs"][0]["label"] != right:
                    failures.append(answer.text)

    with ThreadPoolExecutor(8) as callers:
        for future in [callers.submit(call) for _ in range(8)]:
            future.result()
    status = httpx.get(f"{process.url}/admin/v1/status", headers=headers).json()
    metrics = httpx.get(f"{process.url}/metrics", headers=headers).text
    assert process.stop() == 0
    assert failures == []
    rows = {row["reference"]: row for row in status["replicas"]}
    assert len(rows) == 300
    assert {row["state"] for row in rows.values()} <= {"ready", "cold", "loading"}
    assert sum(row["memory_bytes"] for row in rows.values()) <= 12 * MB
    assert metrics.count("servery_model_evictions_total{") > 200
