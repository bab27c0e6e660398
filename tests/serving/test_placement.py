"""Where a version runs: measured once on this machine, kept, shown, and overruled by the operator."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from servery.models.predictor import Predictor
from servery.serving.isolated import IsolatedRuntime
from servery.serving.measurement import Measurement, fingerprint, keep, measure, recall
from servery.serving.placement import Place, choose
from servery.serving.replica import Replica
from servery.settings import Settings
from servery.tasks.classification import ClassificationParameters

ALL = ClassificationParameters()
EXAMPLE = {"word": 3.0, "value": 2.0, "rounds": 1.0}


def measured(*, lock_seconds: float = 0.0, **milliseconds: float) -> Measurement:
    return Measurement(
        "here", 1, {int(rows[1:]): ms / 1000 for rows, ms in milliseconds.items()}, lock_seconds
    )


@pytest.mark.parametrize(
    ("measurement", "place", "most_rows", "inline_work"),
    [
        (measured(b1=0.05, b4=0.06, b16=0.1, b64=0.3), Place.INLINE, 64, 64),
        (measured(b1=0.08, b4=0.15, b16=0.4, b64=4.0), Place.INLINE, 16, 37),
        (measured(b1=2.5, b4=5.0, b16=15.0, b64=56.0), Place.THREAD, 64, 0),
        (measured(b1=63.0, b4=220.0, b16=800.0, b64=3200.0), Place.THREAD, 16, 0),
        (measured(b1=0.2), Place.INLINE, 1, 1),
        (msgspec.structs.replace(measured(b1=0.2), size=50), Place.INLINE, 1, 50),
        (msgspec.structs.replace(measured(b1=0.2), size=0), Place.THREAD, 1, 0),
        (measured(b1=20.0, b4=60.0, b16=200.0, lock_seconds=0.2), Place.PROCESS, 16, 0),
        (None, Place.THREAD, 64, 0),
    ],
)
def test_the_place_follows_from_what_was_measured(
    measurement: Measurement | None, place: Place, most_rows: int, inline_work: float
) -> None:
    chosen = choose(measurement, None, 64)
    assert (chosen.place, chosen.max_batch_rows) == (place, most_rows)
    assert chosen.inline_work == inline_work
    assert chosen.reason


@pytest.mark.parametrize("place", list(Place))
def test_the_operators_word_counts_more(place: Place) -> None:
    chosen = choose(measured(b1=63.0, b4=220.0), place, 64)
    assert chosen.place is place
    assert chosen.reason.startswith("ordered")


def test_a_measurement_ends_within_its_budget(house: ModuleType) -> None:
    model = house.drill()
    began = time.monotonic()
    found = measure(model, {"text": "sleep=0.1"}, "here", 64, budget_seconds=1.0)
    assert time.monotonic() - began < 1.5
    assert found.seconds[1] == pytest.approx(0.1, rel=0.5)


def test_a_batch_size_that_the_model_cannot_run_bounds_its_batches(house: ModuleType) -> None:
    model = house.drill()
    whole = model.runtime.run

    def run(batch: Any) -> Any:
        if len(batch["length"]) > 4:
            raise RuntimeError("the graph has a fixed number of rows")
        return whole(batch)

    model.runtime.run = run
    found = measure(model, {"text": "hello"}, "here", 64)
    assert max(found.seconds) == 4


def test_a_forward_pass_that_keeps_the_interpreter_is_noticed(house: ModuleType) -> None:
    model = house.drill()
    whole = model.runtime.run

    def run(batch: Any) -> Any:
        end = time.perf_counter() + 0.05
        while time.perf_counter() < end:
            pass
        return whole(batch)

    assert measure(model, {"text": "sleep=0.02"}, "here", 1).lock_seconds < 0.004
    model.runtime.run = run
    assert measure(model, {"text": "hello"}, "here", 1).lock_seconds >= 0.003


def test_a_measurement_is_kept_for_its_version_and_machine(tmp_path: Path) -> None:
    folder = tmp_path / "measurements"
    found = measured(b1=1.0, b64=20.0)
    assert recall(folder, "abc", "here") is None
    keep(folder, "abc", found)
    assert recall(folder, "abc", "here") == found
    assert recall(folder, "abc", "elsewhere") is None
    assert recall(folder, "def", "here") is None
    (folder / "abc.json").write_bytes(b'{"machine":"here","seco')
    assert recall(folder, "abc", "here") is None


def test_a_disk_that_refuses_costs_only_the_record(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    keep(tmp_path / "file" / "measurements", "abc", measured(b1=1.0))
    assert recall(tmp_path / "file" / "measurements", "abc", "here") is None


@pytest.fixture
async def made(home: Any) -> AsyncIterator[list[Replica]]:
    replicas: list[Replica] = []
    yield replicas
    for replica in replicas:
        replica.retire()


def load(home: Any, version: Any, made: list[Replica], **settings: Any) -> Replica:
    made.append(Replica.load(version, home.registry, Settings(home=home.folder, **settings)))
    return made[-1]


async def ask(replica: Replica) -> Any:
    with replica.lease():
        return (await replica.answer([EXAMPLE], ALL, math.inf, "key", 2.0)).answers


async def test_a_version_is_measured_once_and_says_where_it_runs(
    home: Any, obedient: Predictor, made: list[Replica]
) -> None:
    version = home.register("obedient", obedient, "production")
    replica = load(home, version, made)
    record = home.settings.measurements / f"{version.digest}.json"
    found = msgspec.json.decode(record.read_bytes(), type=Measurement)
    assert sorted(found.seconds) == [1, 4, 16, 64]
    status = replica.status(["obedient"])
    assert status.placement == replica.placement.place
    assert "ms for 16 rows" in status.placement_reason
    # The record, not a new measurement, decides the next time.
    slow = msgspec.structs.replace(found, seconds={rows: rows * 0.01 for rows in found.seconds})
    record.write_bytes(msgspec.json.encode(slow))
    again = load(home, version, made)
    assert again.placement.place is Place.THREAD
    assert again.placement.max_batch_rows == 1
    assert again.batcher.latency.seconds(16) == pytest.approx(0.16, rel=0.01)


@pytest.mark.parametrize("place", list(Place))
async def test_every_place_answers_bit_for_bit_the_same(
    home: Any, obedient: Predictor, made: list[Replica], place: Place
) -> None:
    version = home.register("obedient", obedient)
    replica = load(home, version, made, placements={"obedient": place.value}, placement="thread")
    assert await ask(replica) == obedient.predict([EXAMPLE])
    assert replica.status([]).placement == place
    assert replica.status([]).runtime == "onnx"
    assert (replica.batcher._thread is None) == (place is Place.INLINE)


async def test_a_version_in_its_own_process_is_measured_there_and_ends_with_its_replica(
    home: Any, obedient: Predictor, made: list[Replica]
) -> None:
    version = home.register("obedient", obedient)
    replica = load(home, version, made, placement="process")
    runtime = replica.predictor.runtime
    assert isinstance(runtime, IsolatedRuntime)
    assert replica.memory_bytes == pytest.approx(runtime.memory_bytes, rel=0.1)
    process = runtime._life.process
    replica.retire()
    assert await asyncio.to_thread(process.wait, 5) != 0


async def test_one_found_to_keep_the_interpreter_moves_into_a_process(
    home: Any, obedient: Predictor, made: list[Replica]
) -> None:
    version = home.register("obedient", obedient)
    held = Measurement(fingerprint(1, 64, False), 1, {1: 0.05, 4: 0.1, 16: 0.3}, 0.05)
    keep(home.settings.measurements, version.digest, held)
    replica = load(home, version, made)
    assert isinstance(replica.predictor.runtime, IsolatedRuntime)
    assert "holds the interpreter" in replica.status([]).placement_reason
    assert await ask(replica) == obedient.predict([EXAMPLE])


async def test_memory_counts_what_a_version_holds_and_not_the_library_under_it(
    home: Any, house: ModuleType, made: list[Replica]
) -> None:
    import numpy as np

    from servery.models.runtimes.linear import Linear

    encoder = house.loans().encoder
    width = encoder.encode([{"income": 1.0, "debt_ratio": 0.1, "home": "own"}])["x"].shape[1]
    weights = np.zeros((width, 2_000_000), np.float32)
    version = home.register("large", _with_runtime(house.loans(), Linear(weights, weights[0].copy())))
    replica = Replica(version, _loaded(version, home), home.settings)
    assert replica.memory_bytes >= version.size_bytes
    assert replica.memory_bytes < version.size_bytes * 3


def _with_runtime(model: Predictor, runtime: Any) -> Predictor:
    from dataclasses import replace

    return replace(model, runtime=runtime, signature=replace(model.signature, example=None))


def _loaded(version: Any, home: Any) -> Any:
    from servery.serving.loading import bring_up

    return bring_up(version, home.settings)
