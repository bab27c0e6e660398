"""Long series become rows of past and future: gaps, repeats, several stations."""

from pathlib import Path

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.series import pack, series_of, unpack
from servery.data.series_files import SeriesLayout
from servery.data.split_leaks import find_split_leaks
from servery.data.splits import split
from servery.errors import DataError, EmptyDataError
from servery.fields._field import find_field

SHORT = SeriesLayout(past=3, horizon=2, stride=1)


def written(path: Path, lines: list[str], header: str = "time,value") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def hours(*values: object, start: int = 0) -> list[str]:
    return [f"2026-01-01T{start + hour:02d}:00,{value}" for hour, value in enumerate(values)]


def test_a_row_is_a_stretch_of_the_past_and_what_came_after_it(tmp_path: Path) -> None:
    raw = SHORT.read(written(tmp_path / "a.csv", hours(1, 2, 3, 4, 5, 6)))
    assert [unpack(cell).tolist() for cell in raw.values["value"]] == [[1, 2, 3], [2, 3, 4]]
    assert [unpack(cell).tolist() for cell in raw.values["future"]] == [[4, 5], [5, 6]]
    assert raw.values["now"][0] == np.datetime64("2026-01-01T02:00")
    assert raw.line_numbers.tolist() == [4, 5]


def test_no_row_looks_at_its_own_future(tmp_path: Path) -> None:
    raw = SHORT.read(written(tmp_path / "a.csv", hours(*range(20))))
    for past, future in zip(raw.values["value"], raw.values["future"], strict=True):
        assert unpack(past).max() < unpack(future).min()


def test_a_missing_hour_is_a_missing_reading(tmp_path: Path) -> None:
    lines = hours(1, 2, 3, 4, 5, 6)
    del lines[1]
    first = SHORT.read(written(tmp_path / "a.csv", lines)).values["value"][0]
    assert np.array_equal(unpack(first), [1, np.nan, 3], equal_nan=True)


def test_readings_out_of_order_are_sorted_and_second_ones_set_aside(tmp_path: Path) -> None:
    lines = hours(1, 2, 3, 4, 5, 6)
    raw = SHORT.read(written(tmp_path / "a.csv", [*lines[::-1], lines[2], "2026-01-01T02:30,9", "soon,3"]))
    assert unpack(raw.values["value"][0]).tolist() == [1, 2, 3]
    assert sorted((bad.line, bad.reason.partition(": ")[2]) for bad in raw.bad_rows) == [
        (8, "a second reading of this time"),
        (9, "between two steps of the series"),
        (10, "no time"),
    ]


def test_each_station_is_told_the_mean_of_the_others(tmp_path: Path) -> None:
    lines = [f"{line},a" for line in hours(1, 2, 3, 4, 5)] + [f"{line},b" for line in hours(7, "", 9, 10, 11)]
    lines += [f"{line},c" for line in hours(3, 3, 3, 3, 3)]
    raw = SHORT.read(written(tmp_path / "a.csv", lines, "time,value,station"))
    assert raw.values["station"].tolist() == ["a", "b", "c"]
    assert unpack(raw.values["elsewhere"][0]).tolist() == [5, 3, 6]
    assert unpack(raw.values["elsewhere"][1]).tolist() == [2, 2.5, 3]


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        (["1,2"], "x,y", "no column of times"),
        (hours("a", "b", "c"), "time,value", "no column of numbers"),
        (hours(1), "time,value", "fewer than two readings"),
        (["2026-01-01,1", "2026-01-02,2", "2031-01-01,3"], "time,value", "no equal distances"),
    ],
)
def test_files_that_hold_no_series_are_refused(
    tmp_path: Path, lines: list[str], header: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        SHORT.read(written(tmp_path / "a.csv", lines, header))


def test_series_shorter_than_a_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyDataError, match="looks back on 3"):
        SHORT.read(written(tmp_path / "a.csv", hours(1, 2, 3, 4)))


def test_cells_are_lists_of_numbers_or_nothing() -> None:
    assert series_of([1, None, 2.5]) == series_of("[1, null, 2.5]") == pack(np.array([1, np.nan, 2.5]))
    assert all(series_of(cell) is None for cell in (None, 3, {"a": 1}, ["a"], [True], "[1", b"abc"))
    assert np.isnan(unpack(pack([1e300]))).all()


def test_a_wind_is_read_as_what_comes_from_east_and_north(tmp_path: Path) -> None:
    directions = ("N", "E", "sw", "calm", "S")
    lines = [f"{line},{d},2" for line, d in zip(hours(1, 2, 3, 4, 5), directions, strict=True)]
    layout = SeriesLayout(past=4, horizon=1, compass=("wd", "speed"))
    raw = layout.read(written(tmp_path / "a.csv", lines, "time,value,wd,speed"))
    east, north = (unpack(raw.values[f"speed_{side}"][0]) for side in ("east", "north"))
    assert east[:3] == pytest.approx([0, 2, -(2**0.5)], abs=1e-6)
    assert north[:3] == pytest.approx([2, 0, -(2**0.5)], abs=1e-6)
    assert np.isnan([east[3], north[3]]).all()


def test_columns_of_a_file_of_ones_own_are_taken_for_series(tmp_path: Path) -> None:
    lines = [f"{line},{hour % 7},a" for hour, line in enumerate(hours(*range(24)))]
    lines += [f"{line},{hour % 5},b" for hour, line in enumerate(hours(*range(24)))]
    path = written(tmp_path / "own.csv", lines, "date,value,temperature,sensor")
    offer = find_field("smart-city").offer_for("forecasting")
    layout = SeriesLayout(past=4, horizon=2, stride=1)
    raw = layout.read(path)
    known = {name: kind for name, kind in offer.kinds.items() if name in raw.values}
    roles = {name: role for name, role in offer.roles.items() if name in raw.values}
    dataset = build_dataset(raw, "own", target="future", kinds=known, roles=roles)
    assert [(c.name, c.kind.value) for c in dataset.inputs] == [
        ("now", "time"),
        ("sensor", "category"),
        ("value", "series"),
        ("temperature", "series"),
        ("elsewhere", "series"),
        ("value@a", "series"),
        ("value@b", "series"),
    ]


def test_windows_that_overlap_across_parts_are_a_leak_and_parts_by_time_are_none() -> None:
    sample = find_field("smart-city").offer_for("forecasting").sample(300, 0)
    found = find_split_leaks(split(sample, "random"))
    assert [(finding.code, finding.is_leak) for finding in found] == [("times_across_parts", True)]
    parts = split(sample)
    assert parts.policy == "time"
    assert not find_split_leaks(parts)
    assert parts.train["origin"].max() <= parts.validation["origin"].min()
