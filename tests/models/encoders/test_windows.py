"""Series as arrays: short and long histories, missing readings, other columns."""

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.data.series import pack
from servery.errors import ArtifactError, InputError
from servery.models.encoders.windows import Windows

COLUMNS = (
    Column("now", Kind.TIME, Role.INPUT),
    Column("station", Kind.CATEGORY, Role.INPUT),
    Column("pm25", Kind.SERIES, Role.INPUT),
    Column("wind", Kind.SERIES, Role.INPUT),
)


def example(*pm25: float | None, wind: bytes | None = None, hour: int = 0) -> dict[str, object]:
    now = np.datetime64("2026-01-01", "ns") + np.timedelta64(hour, "h")
    return {"now": now, "station": "a", "pm25": pack(list(pm25)), "wind": wind}


ROWS = [example(*range(start, start + 30), wind=pack([2.0] * 30)) for start in range(20)]


def fitted(layout: str) -> Windows:
    return Windows.fit(ROWS, COLUMNS, layout, 0)


def test_a_missing_reading_is_the_one_before_it_and_a_short_history_begins_with_its_first() -> None:
    encoder = fitted("history")
    filled = encoder.encode([example(5, None, 7), example(None)])["x"]
    assert filled.shape == (2, 30)
    assert filled[0, -4:].tolist() == [5, 5, 5, 7]
    assert np.allclose(filled[1], encoder.means[0])


def test_a_network_is_told_which_readings_are_missing() -> None:
    batch = fitted("network").encode([example(5, None, 7)])
    assert batch["series"].shape == (1, 30, 4)
    assert batch["series"][0, -3:, 2].tolist() == [0, 1, 0]
    assert batch["series"][0, :, 3].all()
    assert np.isfinite(batch["series"]).all()


def test_a_longer_history_loses_its_first_readings() -> None:
    encoder = fitted("lags")
    long, short = ([*range(-100, 0), *range(30)], [*range(30)])
    one, other = (encoder.encode([example(*values)])["x"] for values in (long, short))
    assert np.array_equal(one, other, equal_nan=True)
    assert one[0, 0] == 29.0


def test_the_hour_of_the_day_comes_again_and_an_unknown_station_counts_as_none() -> None:
    encoder = fitted("network")
    day, next_day = (encoder.encode([example(1, hour=h)])["context"] for h in (3, 27))
    assert np.allclose(day[:, :2], next_day[:, :2], atol=1e-5)
    strange = encoder.encode([{**example(1), "station": "b", "now": None}])["context"]
    assert not strange.any()


def test_state_comes_back_and_torn_ones_are_refused() -> None:
    encoder = fitted("lags")
    again = Windows.restore(encoder.state())
    assert np.array_equal(again.encode(ROWS)["x"], encoder.encode(ROWS)["x"], equal_nan=True)
    with pytest.raises(ArtifactError):
        Windows.restore({**encoder.state(), "layout": "x"})
    with pytest.raises(InputError, match="expected readings"):
        encoder.encode([{**example(1), "pm25": [1, 2]}])
