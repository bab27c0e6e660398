"""What a caller is told besides the answer: inputs unlike those that were learned from."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.series import pack
from servery.models.notices import unfamiliar
from servery.models.recipe import find_recipe
from servery.models.signature import Signature

RECIPE = find_recipe("linear", "table", "regression")


def test_a_model_remembers_what_its_numbers_were_like(
    make_work: Callable[..., Any], field_sample: Callable[..., Any]
) -> None:
    rows = field_sample("table", "regression")
    signature = RECIPE.make(make_work(RECIPE, "regression", rows, rows)).predictor.signature
    column = next(column for column in signature.inputs if column.kind is Kind.NUMBER)
    values = np.asarray(rows[column.name], float)
    assert (column.low, column.high) == (values.min(), values.max())
    assert Column.from_dict(column.to_dict()) == column
    near, far = ({column.name: column.high + share * (column.high - column.low)} for share in (0.05, 0.2))
    usual = {
        c.name: float(np.mean(np.asarray(rows[c.name], float)))
        for c in signature.inputs
        if c.kind is Kind.NUMBER
    }
    near, far = usual | near, usual | far
    assert unfamiliar([near], signature) == {}
    assert unfamiliar([near, far], signature).keys() == {"outside_range"}


def test_a_category_never_seen_is_named_and_a_missing_value_is_not() -> None:
    material = Column("material", Kind.CATEGORY, Role.INPUT, categories=("oak", "steel"))
    told = unfamiliar(
        [{"material": "glass"}, {"material": "oak"}, {"material": None}], Signature("x", "", (material,))
    )
    assert told.keys() == {"unseen_category"}
    assert "'material' is 'glass'" in told["unseen_category"]
    assert "oak" not in told["unseen_category"]


def test_a_missing_number_is_not_outside_and_a_reading_may_be() -> None:
    length = Column("length_m", Kind.NUMBER, Role.INPUT, low=0.0, high=1.0)
    assert unfamiliar([{"length_m": float("nan")}, {"length_m": None}], Signature("x", "", (length,))) == {}
    series = Column("pm25", Kind.SERIES, Role.INPUT, low=0.0, high=100.0)
    told = unfamiliar([{"pm25": pack([5.0, None, 900.0])}], Signature("x", "", (series,)))
    assert "'pm25' is 900" in told["outside_range"]
    assert unfamiliar([{"pm25": pack([5.0, None])}], Signature("x", "", (series,))) == {}


def test_of_many_odd_values_some_are_named() -> None:
    length = Column("length_m", Kind.NUMBER, Role.INPUT)
    length = replace(length, low=0.0, high=1.0)
    told = unfamiliar([{"length_m": float(value)} for value in range(10, 30)], Signature("x", "", (length,)))
    assert told["outside_range"].count("learned from 0 to 1") == 5
    assert "and 15 more" in told["outside_range"]
