"""Forecasting: requests with series, answers with bands, errors by step."""

from typing import Any

import msgspec
import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset, Source
from servery.data.series import pack, unpack
from servery.errors import DataError, InputError
from servery.metrics.intervals import COVERAGES
from servery.models.signature import Limits
from servery.tasks.forecasting import FORECASTING
from servery.tasks.forms.series import SERIES
from servery.tasks.task import Calibration

COLUMNS = (
    Column("now", Kind.TIME, Role.INPUT),
    Column("station", Kind.CATEGORY, Role.INPUT, categories=("Market",)),
    Column("pm25", Kind.SERIES, Role.INPUT),
    Column("wind", Kind.SERIES, Role.INPUT),
)
GOOD = {"now": "2026-01-01T03:00:00", "station": "Market", "pm25": [1.5, None, 3], "wind": [1, 2, 3]}
TIMES = ["2026-01-01T00:00", "2026-01-01T01:00", "2026-01-01T03:00"]


def read(**changes: Any) -> dict[str, Any]:
    return SERIES.examples({**GOOD, **changes}, COLUMNS, Limits())[0]


def rows_of(*futures: list[float | None]) -> Dataset:
    cells = np.empty(len(futures), object)
    cells[:] = [pack(future) for future in futures]
    column = Column("future", Kind.SERIES, Role.TARGET)
    return Dataset((column,), {"future": cells}, Source("by-hand", None, "0"), np.arange(2, len(futures) + 2))


def test_a_request_is_read_and_written_back() -> None:
    assert SERIES.to_json(read(), COLUMNS) == {**GOOD, "now": "2026-01-01T03:00:00.000000"}
    assert len(SERIES.examples([GOOD, GOOD], COLUMNS, Limits())) == 2


def test_times_of_all_readings_lay_them_on_equal_distances() -> None:
    example = read(now=TIMES, pm25=[1, 2, 4], wind=None)
    assert np.array_equal(unpack(example["pm25"]), [1, 2, np.nan, 4], equal_nan=True)
    assert example["now"] == np.datetime64(TIMES[-1])
    assert len(unpack(example["wind"])) == 0


@pytest.mark.parametrize(
    ("changes", "message", "param"),
    [
        ({"now": TIMES[::-1]}, "goes backwards", "/inputs/now/1"),
        ({"now": [TIMES[0], TIMES[0], TIMES[1]]}, "stands there twice", "/inputs/now/1"),
        (
            {"now": [*TIMES, "2026-01-01T04:00", "2026-01-01T04:20"], "pm25": [1] * 5, "wind": None},
            "no equal distances",
            "/inputs/now",
        ),
        ({"now": TIMES[:2]}, "'pm25' has 3 readings", "/inputs/now"),
        ({"now": []}, "empty", "/inputs/now"),
        ({"now": [None, TIMES[1], TIMES[2]]}, "Expected a time", "/inputs/now/0"),
        ({"pm25": []}, "no reading", "/inputs/pm25"),
        ({"pm25": [None]}, "no reading", "/inputs/pm25"),
        ({"pm25": 3}, "Expected a list", "/inputs/pm25"),
        ({"pm25": [1, "2"]}, "finite number", "/inputs/pm25/1"),
        ({"pm25": [1, True]}, "finite number", "/inputs/pm25/1"),
        ({"pm2": [1]}, "Unknown", "/inputs/pm2"),
    ],
)
def test_a_request_that_cannot_be_is_refused(changes: dict[str, Any], message: str, param: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(**changes)
    assert caught.value.param == param


def test_series_are_read_from_texts_of_json_as_protocols_of_tensors_send_them() -> None:
    arrays = {
        "now": np.array(['["2026-01-01T00:00", "2026-01-01T01:00"]', "2026-01-01T01:00"], object),
        "station": np.array(["Market", "Market"], object),
        "pm25": np.array([b"[1, 2]", b"[1, 2]"], object),
        "wind": np.array(["[null, 3]", "[null, 3]"], object),
    }
    one, other = SERIES.examples_from_arrays(arrays, COLUMNS, Limits())
    assert one == other
    with pytest.raises(InputError, match="Expected a list"):
        SERIES.examples_from_arrays({**arrays, "pm25": np.array(["[1", "2"], object)}, COLUMNS, Limits())


def test_an_explanation_takes_stretches_of_readings_out() -> None:
    example = read(pm25=list(range(12)))
    parts = SERIES.parts(example, COLUMNS)
    own = [part for part in parts if part.column == "pm25"]
    assert [part.text for part in own[:2]] == ["-11 to -10", "-9 to -8"]
    assert {part.column for part in parts} == {"now", "station", "pm25", "wind"}
    without = unpack(SERIES.without(example, own[-1], COLUMNS)["pm25"])
    assert np.isnan(without[-2:]).all()
    assert np.isfinite(without[:-2]).all()
    station = next(part for part in parts if part.column == "station")
    assert SERIES.without(example, station, COLUMNS)["station"] is None


def test_a_missing_series_is_named_and_null_stands_for_one_that_is_not_known() -> None:
    with pytest.raises(InputError, match="Missing at /inputs: 'wind'"):
        SERIES.examples({n: v for n, v in GOOD.items() if n != "wind"}, COLUMNS, Limits())
    assert read(wind=None)["wind"] == b""


def test_errors_leave_out_readings_that_are_missing() -> None:
    targets = FORECASTING.encode_targets(rows_of([1, 2, 3], [2, None, 8]), ())
    outputs = np.array([[1, 3, 3], [2, 9, 4]], np.float32)
    metrics = FORECASTING.measure(targets, outputs, Calibration())
    assert metrics["mae"] == pytest.approx(1.0)
    assert (metrics["mae_1"], metrics["mae_3"]) == (0.0, 2.0)
    trivial = FORECASTING.trivial_outputs(targets, 0, 2)
    assert metrics["d2"] > FORECASTING.measure(targets, trivial, Calibration())["d2"]


def test_bands_hold_what_they_promise_on_rows_like_those_they_were_fitted_on() -> None:
    chance = np.random.default_rng(0)
    spread = chance.uniform(0.5, 3.0, (4000, 4))
    truth = chance.normal(0, 1, (4000, 4)) * spread * [1, 2, 3, 4]
    outputs = np.stack([np.zeros((4000, 4)), spread], axis=2).astype(np.float32)
    calibration = FORECASTING.calibrate(truth[:2000], outputs[:2000])
    assert len(calibration.margins) == 4 * len(COVERAGES)
    metrics = FORECASTING.measure(truth[2000:], outputs[2000:], calibration)
    assert metrics["interval_coverage_90"] == pytest.approx(0.9, abs=0.02)
    narrow, wide = (
        FORECASTING.decode(outputs[:1], (), calibration, FORECASTING.parameters(coverage=share))[0]
        for share in (0.5, 0.95)
    )
    assert all(w < n for w, n in zip(wide.low, narrow.low, strict=True))
    assert wide.high[3] / spread[0, 3] > 3 * wide.high[0] / spread[0, 0]


def test_an_answer_says_how_much_it_looked_back_on_and_one_reading_is_warned_of() -> None:
    outputs = np.zeros((2, 3), np.float32)
    answers = FORECASTING.decode(outputs, (), Calibration(), FORECASTING.parameters(steps=2))
    answers = FORECASTING.completed(answers, [read(), read(pm25=[7])])
    assert [(len(answer.values), answer.readings, answer.low) for answer in answers] == [
        (2, 2, ()),
        (2, 1, ()),
    ]
    assert "1 forecast" in FORECASTING.notices(answers)["short_history"]
    assert not FORECASTING.notices(answers[:1])
    assert msgspec.json.decode(msgspec.json.encode(answers), type=list[FORECASTING.answer]) == answers
    assert FORECASTING.hub_answers(answers, frozenset(), False) == [0.0, 0.0]


def test_futures_of_different_lengths_and_empty_ones_are_refused() -> None:
    with pytest.raises(DataError, match="line 4: 1 readings, where others have 2"):
        FORECASTING.encode_targets(rows_of([1, 2], [3, 4], [5]), ())
    with pytest.raises(DataError, match="line 3: every reading is missing"):
        FORECASTING.encode_targets(rows_of([1, 2], [None, None]), ())
