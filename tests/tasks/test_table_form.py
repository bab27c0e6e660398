"""What is special to table rows: columns of values, missing values, numbers as strings."""

import math

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError, TooLongError, UnsupportedMediaError
from servery.models.signature import Limits
from servery.tasks.forms.table import TABLE

COLUMNS = (
    Column("income", Kind.NUMBER, Role.INPUT),
    Column("plan", Kind.CATEGORY, Role.INPUT, categories=("basic", "gold")),
    Column("since", Kind.TIME, Role.INPUT),
)
LIMITS = Limits(max_inputs=3)
ROW = {"income": 5200, "plan": "gold", "since": "2026-05-01"}
MAY = np.datetime64("2026-05-01", "ns")


def test_a_row_rows_and_columns_of_values_say_the_same():
    expected = [{"income": 5200.0, "plan": "gold", "since": MAY}]
    assert TABLE.examples(ROW, COLUMNS, LIMITS) == expected
    assert TABLE.examples([ROW, ROW], COLUMNS, LIMITS) == expected * 2
    table = {name: [value, value] for name, value in ROW.items()}
    assert TABLE.examples({"table": table}, COLUMNS, LIMITS) == expected * 2
    assert TABLE.is_batch({"table": table}, COLUMNS)


def test_a_column_called_table_is_still_a_column():
    columns = (Column("table", Kind.CATEGORY, Role.INPUT),)
    assert TABLE.examples({"table": "oak"}, columns, LIMITS) == [{"table": "oak"}]
    assert not TABLE.is_batch({"table": "oak"}, COLUMNS)


@pytest.mark.parametrize("value", [5200, 5200.0, "5200", " 5.2e3 "])
def test_numbers_may_be_strings_as_the_hub_sends_them(value):
    [example] = TABLE.examples(ROW | {"income": value}, COLUMNS, LIMITS)
    assert example["income"] == 5200.0


@pytest.mark.parametrize(
    "value", [True, "5_200", "nan", "1e999", "many", [1], float("inf"), 10**400, "9" * 65]
)
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(InputError, match="finite number at /inputs/1/income"):
        TABLE.examples([ROW, ROW | {"income": value}], COLUMNS, LIMITS)


def test_null_means_missing_in_every_column():
    [example] = TABLE.examples(dict.fromkeys(ROW), COLUMNS, LIMITS)
    assert math.isnan(example["income"])
    assert example["plan"] is None
    assert np.isnat(example["since"])


@pytest.mark.parametrize(
    ("value", "read"), [("new", "new"), (3, "3"), (3.0, "3"), (True, "true"), (0.5, "0.5")]
)
def test_a_category_may_be_new_and_need_not_be_a_string(value, read):
    [example] = TABLE.examples(ROW | {"plan": value}, COLUMNS, LIMITS)
    assert example["plan"] == read


def test_categories_are_bounded():
    with pytest.raises(TooLongError, match="1,001 characters"):
        TABLE.examples(ROW | {"plan": "x" * 1001}, COLUMNS, LIMITS)
    for value in (["x"], {"a": 1}, 10**5000):
        with pytest.raises(InputError, match="Expected a category"):
            TABLE.examples(ROW | {"plan": value}, COLUMNS, LIMITS)


@pytest.mark.parametrize(
    ("value", "read"),
    [("2026-05-01T09:00:00Z", "2026-05-01T09"), ("2026-05-01 09:30+02:00", "2026-05-01T07:30"), ("", "NaT")],
)
def test_times_are_read_in_utc(value, read):
    [example] = TABLE.examples(ROW | {"since": value}, COLUMNS, LIMITS)
    assert str(example["since"]) == str(np.datetime64(read, "ns"))


@pytest.mark.parametrize("value", ["yesterday", "0001-01-01", "9999-12-31", 5, "2026-05-01" * 5])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(InputError, match="ISO 8601"):
        TABLE.examples(ROW | {"since": value}, COLUMNS, LIMITS)


def test_unknown_and_missing_columns_are_named_with_the_nearest():
    with pytest.raises(InputError, match=r"Unknown: 'incom'. Did you mean 'income'\?") as caught:
        TABLE.examples({"incom": 1, "plan": "gold", "since": None}, COLUMNS, LIMITS)
    assert caught.value.hint == "this model reads: 'income', 'plan', 'since'"
    with pytest.raises(InputError, match="Missing at /inputs: 'plan', 'since'"):
        TABLE.examples({"income": 1}, COLUMNS, LIMITS)
    with pytest.raises(InputError, match="got a list"):
        TABLE.examples([[1, 2]], COLUMNS, LIMITS)


def test_errors_point_at_the_value():
    table = {"income": [1, "x"], "plan": ["a", "b"], "since": [None, None]}
    with pytest.raises(InputError) as caught:
        TABLE.examples({"table": table}, COLUMNS, LIMITS)
    assert caught.value.param == "/inputs/table/income/1"
    with pytest.raises(InputError) as caught:
        TABLE.examples({"a/b": "x"}, (Column("a/b", Kind.NUMBER, Role.INPUT),), LIMITS)
    assert caught.value.param == "/inputs/a~1b"


def test_columns_of_values_must_be_whole_lists_of_one_length():
    with pytest.raises(InputError, match="Expected a list of values at /inputs/table/plan"):
        TABLE.examples({"table": {"income": [1], "plan": "gold", "since": [None]}}, COLUMNS, LIMITS)
    with pytest.raises(InputError, match="differ in length"):
        TABLE.examples({"table": {"income": [1, 2], "plan": ["a"], "since": [None]}}, COLUMNS, LIMITS)
    for count, message in ((0, "empty"), (4, "accepts 3")):
        with pytest.raises(InputError, match=message):
            TABLE.examples({"table": {name: [None] * count for name in ROW}}, COLUMNS, LIMITS)


def test_rows_travel_as_json_only():
    with pytest.raises(UnsupportedMediaError):
        TABLE.examples_from_bytes(b"income\n1\n", "text/csv", COLUMNS, LIMITS)
