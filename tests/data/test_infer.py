"""What a column is taken for, with the reason, and how to say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.columns import Column, Kind, Role
from servery.data.infer import infer_columns
from servery.data.raw_table import RawTable, object_array
from servery.errors import ColumnNotFoundError, DataError, UnknownNameError

ROWS = 60
CHANCE = np.random.default_rng(0)
SENTENCES = [f"the {['room', 'soup'][i % 2]} number {i} was a good one for all of us" for i in range(ROWS)]


def one(name: str, cells: Sequence[Any], **options: Any) -> Column:
    return infer_columns({name: object_array(list(cells))}, **options)[0]


def cycle(values: Sequence[Any], rows: int = ROWS) -> list[Any]:
    return [values[i % len(values)] for i in range(rows)]


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("amount", [f"{i * 37 % 101}.5" for i in range(ROWS)], Kind.NUMBER),
        ("amount", cycle(["1,200", "n/a", "3,450,000", "12", "", "900"]), Kind.NUMBER),
        ("price", [f"${i}.99" for i in range(ROWS)], Kind.NUMBER),
        ("children", cycle([0, 1, 2, 3, 0, 0, 1]), Kind.NUMBER),
        ("grade", cycle([1, 2, 3, 4]), Kind.CATEGORY),
        ("chest_pain_type", cycle(["0", "3", "9"]), Kind.CATEGORY),
        ("smoker", cycle([0, 1]), Kind.CATEGORY),
        ("smoker", cycle([True, False, None]), Kind.CATEGORY),
        ("smoker", cycle(["yes", "no"]), Kind.CATEGORY),
        ("postcode", [f"0{i:04d}" for i in cycle(range(20))], Kind.CATEGORY),
        ("when", [f"2024-03-{1 + i % 28:02d}" for i in range(ROWS)], Kind.TIME),
        ("when", [f"2024/3/{1 + i % 28} 08:30:00" for i in range(ROWS)], Kind.TIME),
        ("when", [f"2024年3月{1 + i % 28}日" for i in range(ROWS)], Kind.TIME),
        ("id", list(range(500, 500 + ROWS)), Kind.IDENTIFIER),
        ("row", list(range(ROWS)), Kind.IDENTIFIER),
        ("userId", [f"{i * 7919 % 10007}" for i in range(ROWS)], Kind.IDENTIFIER),
        ("ticket", [f"A/{i * 31}" for i in range(ROWS)], Kind.IDENTIFIER),
        ("name", [f"Braund, Mr. Owen Harris {i}" for i in range(ROWS)], Kind.IDENTIFIER),
        ("text", SENTENCES, Kind.TEXT),
        ("review", cycle(["slow and rude", "good food", "never again"]), Kind.TEXT),
        ("note", cycle([f"it was like this {i}" for i in range(13)]), Kind.TEXT),
        ("account", cycle(["no checking account", "less than 200 in it", "more than that"]), Kind.CATEGORY),
        ("评论", [f"第{i}次来，味道还是一样好，服务也周到" for i in range(ROWS)], Kind.TEXT),
        ("city", cycle(["Leeds", "York", "Bath", "Hull"]), Kind.CATEGORY),
        ("城市", cycle(["上海", "北京", "广州"]), Kind.CATEGORY),
        ("tags", cycle([("a", "b"), ("a",), ()]), Kind.LABELS),
    ],
)  # fmt: skip
def test_the_kind_of_an_input_is_told_from_its_values(name: str, cells: list[Any], kind: Kind) -> None:
    column = infer_columns({name: object_array(cells), "other": object_array(cycle([1.5, 2.25, 3.125]))})[0]
    assert column.kind is kind, column.reason
    assert column.reason


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (cycle([0, 1, 2]), Kind.CATEGORY),
        (cycle(["3", "1", "2", "5", "4"]), Kind.CATEGORY),
        (CHANCE.normal(size=ROWS).tolist(), Kind.NUMBER),
        (list(range(ROWS)), Kind.NUMBER),
        (cycle(["joy", "anger", "joy,anger", "fear", "fear,joy", "joy"]), Kind.LABELS),
        (cycle(["Toys, games", "Food, drinks", "Garden"]), Kind.CATEGORY),
        (cycle(["spam", "ham"]), Kind.CATEGORY),
        (SENTENCES, Kind.TEXT),
    ],
)
def test_the_kind_of_a_target_is_told_from_its_values(cells: list[Any], kind: Kind) -> None:
    column = one("answer", cells, target="answer")
    assert (column.kind, column.role) == (kind, Role.TARGET), column.reason


def roles_of(raw: dict[str, list[Any]], **options: Any) -> dict[str, Role]:
    columns = infer_columns({name: object_array(cells) for name, cells in raw.items()}, **options)
    return {c.name: c.role for c in columns}


def test_a_text_keeps_the_rest_of_the_table_out() -> None:
    roles = roles_of(
        {"text": SENTENCES, "stars": cycle([1.5, 2.5, 4.0]), "label": cycle("ab")}, target="label"
    )
    assert roles == {"text": Role.INPUT, "stars": Role.IGNORED, "label": Role.TARGET}


def test_a_table_without_texts_keeps_its_numbers_and_categories() -> None:
    raw = {"age": [i * 1.5 for i in range(ROWS)], "city": cycle(["Leeds", "York"]), "label": cycle("aab")}
    assert roles_of(raw, target="label") == {"age": Role.INPUT, "city": Role.INPUT, "label": Role.TARGET}


def test_constant_and_empty_columns_are_ignored() -> None:
    raw = {"one": [5] * ROWS, "none": [None] * ROWS, "age": [i * 1.5 for i in range(ROWS)]}
    assert roles_of(raw) == {"one": Role.IGNORED, "none": Role.IGNORED, "age": Role.INPUT}


def test_an_identifier_that_repeats_keeps_its_rows_together() -> None:
    raw = {"patient_id": [1000 + i // 3 for i in range(ROWS)], "age": [i * 1.5 for i in range(ROWS)]}
    assert roles_of(raw) == {"patient_id": Role.GROUP, "age": Role.INPUT}


def test_a_time_that_orders_the_rows_is_a_time_and_another_is_ignored() -> None:
    ordered = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(ROWS)]
    raw = {"seen": ordered, "born": ordered[30:] + ordered[:30], "age": [i * 1.5 for i in range(ROWS)]}
    assert roles_of(raw) == {"seen": Role.TIME, "born": Role.IGNORED, "age": Role.INPUT}


def test_a_column_of_parts_is_found_and_written_in_one_way() -> None:
    raw = RawTable(
        {
            "split": object_array(cycle(["train", "train", "Dev", "testing"])),
            "age": object_array(cycle([1.5, 2.5, 4])),
        },
        np.arange(1, ROWS + 1),
    )
    dataset = build_dataset(raw, "x")
    assert dataset.columns[0].role is Role.PART
    assert set(dataset["split"]) == {"train", "validation", "test"}


def test_a_short_text_is_an_input_where_there_is_nothing_else() -> None:
    titles = [f"quick fix {i}" for i in range(ROWS)]
    assert roles_of({"title": titles, "label": cycle("ab")}, target="label")["title"] is Role.INPUT


def test_what_is_said_overrides_what_is_inferred() -> None:
    raw = {"grade": cycle([1, 2, 3]), "id": list(range(ROWS)), "label": cycle("ab")}
    columns = infer_columns(
        {name: object_array(cells) for name, cells in raw.items()},
        target="label",
        kinds={"grade": "number", "id": "number"},
        roles={"id": "input"},
    )
    assert [(c.kind, c.role) for c in columns[:2]] == [(Kind.NUMBER, Role.INPUT), (Kind.NUMBER, Role.INPUT)]


def test_codes_that_passed_through_a_float_column_are_whole_again() -> None:
    assert one("sex", cycle(["0.0", "1.0"])).categories == ("0", "1")


def test_values_that_are_no_numbers_are_named_in_the_reason() -> None:
    cells = [str(i * 1.5) for i in range(100)] + ["lots"]
    column = one("amount", cells)
    assert column.kind is Kind.NUMBER
    assert "'lots'" in column.reason


def test_names_that_do_not_exist_are_refused() -> None:
    raw = {"size": object_array([1.5, 2.5])}
    with pytest.raises(ColumnNotFoundError, match="Did you mean 'size'"):
        infer_columns(raw, kinds={"sise": "number"})
    with pytest.raises(UnknownNameError, match="kind 'numbre'"):
        infer_columns(raw, kinds={"size": "numbre"})
    with pytest.raises(UnknownNameError, match="role 'inputs'"):
        infer_columns(raw, roles={"size": "inputs"})


def test_a_kind_that_no_value_fits_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be of kind number"):
        one("city", cycle(["Leeds", "York"]), kinds={"city": "number"})


def test_two_targets_are_refused() -> None:
    raw = {"a": object_array([1, 2]), "b": object_array([1, 2])}
    with pytest.raises(DataError, match="Two columns"):
        infer_columns(raw, target="a", roles={"b": "target"})
