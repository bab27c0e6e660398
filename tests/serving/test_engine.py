"""The engine: what is loaded, what answers to which id, and swaps that lose nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

import pytest

from servery.errors import ModelLoadError, ModelNotFoundError
from servery.serving.engine import Engine
from servery.tasks.classification import ClassificationParameters

ALL = ClassificationParameters()


async def until(fact: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@pytest.fixture
async def engine(home: Any) -> AsyncIterator[Engine]:
    engine = Engine(home.registry, home.settings)
    yield engine
    await engine.stop()


async def best(engine: Engine, reference: str, text: str) -> str:
    replica = await engine.replica(reference)
    with replica.lease():
        answered = await replica.answer(replica.read(text), ALL)
    return str(answered.answers[0].label)  # type: ignore[attr-defined]


def states(engine: Engine) -> dict[str, str]:
    return {row.reference: row.state for row in engine.status()}


async def test_an_empty_registry_is_ready(engine: Engine) -> None:
    await engine.start()
    await until(lambda: engine.is_ready)
    assert engine.status() == []


async def test_aliased_versions_are_up_before_it_is_ready_and_others_on_first_use(
    engine: Engine, home: Any, house: ModuleType
) -> None:
    home.register("reviews", house.reviews(), "production")
    home.register("reviews", house.reviews(-1.0))
    await engine.start()
    assert not engine.is_ready
    await until(lambda: engine.is_ready)
    assert states(engine) == {"reviews@1": "ready"}
    assert await best(engine, "reviews@2", house.GOOD) == "negative"
    assert await best(engine, "reviews", house.GOOD) == "positive"
    assert states(engine) == {"reviews@1": "ready", "reviews@2": "ready"}


async def test_many_first_requests_load_a_version_once(engine: Engine, home: Any, house: ModuleType) -> None:
    home.register("reviews", house.reviews())
    replicas = await asyncio.gather(*(engine.replica("reviews") for _ in range(20)))
    assert len(set(replicas)) == 1


async def test_an_unknown_model_is_not_found(engine: Engine) -> None:
    for reference in ("nobody", "nobody@3", "no body", "../x", "x" * 5000):
        with pytest.raises(ModelNotFoundError):
            await engine.replica(reference)


async def test_a_moved_alias_swaps_and_the_old_version_finishes_first(
    engine: Engine, home: Any, house: ModuleType
) -> None:
    home.register("reviews", house.reviews(), "production")
    home.register("reviews", house.reviews(-1.0))
    await engine.start()
    await until(lambda: engine.is_ready)
    old = await engine.replica("reviews")
    with old.lease():
        home.registry.point("reviews", "production", 2, actor="test")
        await engine.refresh()
        assert await best(engine, "reviews", house.GOOD) == "negative"
        assert states(engine) == {"reviews@1": "draining", "reviews@2": "ready"}
        answered = await old.answer(old.read(house.GOOD), ALL)
        assert answered.answers[0].label == "positive"  # type: ignore[attr-defined]
    assert states(engine) == {"reviews@2": "ready"}


async def test_a_version_that_cannot_load_leaves_the_old_one_serving(
    engine: Engine, home: Any, house: ModuleType
) -> None:
    home.register("reviews", house.reviews(), "production")
    hostile = home.register("reviews", house.reviews(-1.0))
    weights = hostile.folder / "weights.safetensors"
    weights.chmod(0o600)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    await engine.start()
    await until(lambda: engine.is_ready)
    home.registry.point("reviews", "production", 2, actor="test")
    await engine.refresh()
    assert await best(engine, "reviews", house.GOOD) == "positive"
    failed = {row.reference: row for row in engine.status()}["reviews@2"]
    assert failed.state == "failed"
    assert "weights.safetensors" in failed.reason
    with pytest.raises(ModelLoadError) as told:
        await engine.replica("reviews@2")
    assert "safetensors" not in told.value.message


async def test_a_version_that_cannot_answer_its_own_example_is_never_ready(
    engine: Engine, home: Any, house: ModuleType
) -> None:
    import dataclasses

    model = house.reviews()
    unreadable = dataclasses.replace(model.signature, example={"no": "text"})
    home.register("reviews", dataclasses.replace(model, signature=unreadable), "production")
    await engine.start()
    await until(lambda: engine.is_ready)
    assert states(engine) == {"reviews@1": "failed"}


async def test_a_client_that_leaves_does_not_end_the_loading(
    engine: Engine, home: Any, house: ModuleType
) -> None:
    home.register("reviews", house.reviews())
    impatient = asyncio.create_task(engine.replica("reviews"))
    patient = asyncio.create_task(engine.replica("reviews"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).version.reference == "reviews@1"


async def test_a_removed_version_answers_no_more(engine: Engine, home: Any, house: ModuleType) -> None:
    home.register("reviews", house.reviews(), "production")
    await engine.start()
    await until(lambda: engine.is_ready)
    home.registry.remove("reviews@1", actor="test", force=True)
    await engine.refresh()
    with pytest.raises(ModelNotFoundError):
        await engine.replica("reviews@production")
    assert engine.status() == []


async def test_changes_made_by_other_processes_are_noticed_within_half_a_second(
    engine: Engine, home: Any, house: ModuleType
) -> None:
    await engine.start()
    await until(lambda: engine.is_ready)
    heard: list[float] = []
    engine.on_change(lambda: heard.append(time.monotonic()))
    changed_at = time.monotonic()
    await asyncio.to_thread(home.key, "someone", "predict")
    await until(lambda: bool(heard))
    assert heard[0] - changed_at < 0.5
    home.register("reviews", house.reviews(), "production")
    await until(lambda: states(engine) == {"reviews@1": "ready"})
