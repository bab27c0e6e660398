"""Numbers that go together: what keeps their relation is near, what breaks it is far, however usual each is."""

import json
from dataclasses import replace

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.errors import InputError
from servery.models.design_space import DesignSpace, random_design
from servery.models.envelope import Envelope, Group
from servery.models.notices import unfamiliar
from servery.models.signature import Signature
from servery.tasks.design_generation import Bound, Brief

COLUMNS = tuple(Column(name, Kind.NUMBER, Role.INPUT) for name in ("width", "height", "area"))


@pytest.fixture(scope="module")
def envelope() -> Envelope:
    found = Envelope.fit(COLUMNS, rooms())
    assert found is not None
    return found


def rooms(rows: int = 200) -> Dataset:
    """Walls whose perimeter, called area here, is exactly twice width and height."""
    chance = np.random.default_rng(0)
    width, height = chance.uniform(2, 8, rows), chance.uniform(2, 4, rows)
    columns = {"width": width, "height": height, "area": 2 * (width + height), "price": width}
    raw = RawTable(
        {name: object_array(values.tolist()) for name, values in columns.items()},
        np.arange(1, rows + 1, dtype=np.int64),
    )
    return build_dataset(raw, "rooms", target="price", kinds=dict.fromkeys(columns, "number"))


def test_a_broken_relation_is_far_and_a_kept_one_near(envelope: Envelope) -> None:
    kept, broken = ({"width": 3.0, "height": 3.0, "area": area} for area in (12.0, 16.0))
    near, far = envelope.distances([kept, broken])
    assert near < envelope.farthest < far


def test_a_broken_relation_is_mended_and_what_is_fixed_stays(envelope: Envelope) -> None:
    found = envelope.drawn_in({"width": 6.0, "height": 3.0, "area": 9.0}, {"width", "height"})
    assert (found["width"], found["height"]) == (pytest.approx(6.0), pytest.approx(3.0))
    assert found["area"] == pytest.approx(18.0, abs=0.15)
    found = envelope.drawn_in({"width": 7.0, "height": 2.5, "area": 9.0}, ())
    assert found["area"] == pytest.approx(2 * (found["width"] + found["height"]), abs=0.4)
    assert envelope.distances([found])[0] <= envelope.farthest * 1.001


def test_numbers_that_go_together_are_left_alone(envelope: Envelope) -> None:
    kept = {"width": 6.0, "height": 3.5, "area": 19.0}
    assert envelope.drawn_in(kept, ()) == pytest.approx(kept)


def test_a_caller_is_told_of_a_combination_that_never_was(envelope: Envelope) -> None:
    signature = Signature("regression", "", COLUMNS, envelope=envelope)
    signature = Signature.from_dict(json.loads(json.dumps(signature.to_dict())))
    assert unfamiliar([{"width": 3.0, "height": 3.0, "area": 12.0}], signature) == {}
    told = unfamiliar([{"width": 3.0, "height": 3.0, "area": 20.0}], signature)
    assert told.keys() == {"unusual_combination"}


def test_one_number_or_few_rows_have_no_envelope() -> None:
    assert Envelope.fit(COLUMNS[:1], rooms()) is None
    assert Envelope.fit(COLUMNS, rooms(10)) is None
    words = tuple(replace(column, kind=Kind.CATEGORY) for column in COLUMNS)
    assert Envelope.fit(words, rooms()) is None


def test_few_combinations_are_remembered_as_such() -> None:
    chance = np.random.default_rng(1)
    shapes = np.array([(1.0, 10.0), (2.0, 9.0), (3.0, 5.0)])[chance.integers(0, 3, 120)]
    columns = {"floors": shapes[:, 0], "roof": shapes[:, 1], "depth": chance.uniform(0, 1, 120)}
    raw = RawTable(
        {name: object_array(values.tolist()) for name, values in {**columns, "y": columns["depth"]}.items()},
        np.arange(1, 121, dtype=np.int64),
    )
    kinds = dict.fromkeys([*columns, "y"], "number")
    inputs = tuple(Column(name, Kind.NUMBER, Role.INPUT) for name in columns)
    found = Envelope.fit(inputs, build_dataset(raw, "houses", target="y", kinds=kinds))
    assert found is not None
    assert found.groups == (Group(("floors", "roof"), ((1.0, 10.0), (2.0, 9.0), (3.0, 5.0))),)
    assert Envelope.from_dict(json.loads(json.dumps(found.to_dict()))).groups == found.groups
    space = DesignSpace.of(bounded(inputs), Brief({"y": "min"}, {"roof": Bound(max=9.0)}), found)
    designs = [random_design(space, chance) for _ in range(50)]
    assert {(design["floors"], design["roof"]) for design in designs} == {(2.0, 9.0), (3.0, 5.0)}
    with pytest.raises(InputError, match=r"They know: 1, 10; 2, 9; 3, 5"):
        DesignSpace.of(bounded(inputs), Brief({"y": "min"}, {}, {"roof": 7.0}), found)


def bounded(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return tuple(replace(column, low=0.0, high=10.0) for column in columns)
