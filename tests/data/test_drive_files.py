"""Logs of drives become windows; gaps and steps back in time begin another drive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from servery.data.drive_files import AHEAD_MS, CHANGES, PAST_MS, TARGETS, read_drives
from servery.errors import DataError, EmptyDataError


def write(path: Path, times: np.ndarray, angles: np.ndarray, **more: np.ndarray) -> Path:
    columns = {"seconds": times, "angle": angles, **more}
    rows = zip(*columns.values(), strict=True)
    path.write_text(
        "\n".join([",".join(columns), *(",".join(f"{n!r}" for n in map(float, row)) for row in rows)])
    )
    return path


def test_a_window_tells_changes_and_what_came(tmp_path: Path) -> None:
    times = 0.05 * np.arange(100)
    raw = read_drives(write(tmp_path / "log.csv", times, 0.1 * times))
    assert len(raw) == 100 - (PAST_MS[-1] + AHEAD_MS[-1]) // 50
    for name, ms in zip(CHANGES, PAST_MS, strict=True):
        assert raw.values[name][0] == pytest.approx(0.1 * ms / 1000)
    ahead = [raw.values[name][0] for name in TARGETS]
    assert ahead == pytest.approx([0.05, 0.1])


def test_no_window_reaches_over_a_gap_a_step_back_or_a_block(tmp_path: Path) -> None:
    one = 0.05 * np.arange(100)
    few = (PAST_MS[-1] + AHEAD_MS[-1]) // 50
    for second in (one + 9, one - 50):
        times = np.concatenate([one, second])
        raw = read_drives(write(tmp_path / "log.csv", times, times))
        assert len(raw) == 2 * (100 - few)
        assert len(set(raw.values["drive"])) == 2
    long = 0.05 * np.arange(1200)  # a minute, two blocks
    raw = read_drives(write(tmp_path / "log.csv", long, long))
    starts = np.array([at - PAST_MS[-1] / 1000 for at in raw.values["at"]])
    ends = np.array([at + AHEAD_MS[-1] / 1000 for at in raw.values["at"]])
    assert len(set(raw.values["drive"])) == 2
    assert not ((starts < 30 - 1e-6) & (ends > 30 + 1e-6)).any()


def test_a_stamp_that_is_there_twice_or_missing_is_told_and_left_out(tmp_path: Path) -> None:
    times = 0.05 * np.arange(100)
    times[50] = times[49]
    angles = np.zeros(100)
    angles[70] = np.nan
    raw = read_drives(write(tmp_path / "log.csv", times, angles))
    assert sorted(bad.line for bad in raw.bad_rows) == [52, 72]


def test_only_public_rows_are_asked_about_and_nanoseconds_are_seconds(tmp_path: Path) -> None:
    times = 0.05 * np.arange(100)
    public = (np.arange(100) % 2 == 0).astype(float)
    raw = read_drives(write(tmp_path / "log.csv", times, times, public=public))
    assert {round(at / 0.05) % 2 for at in raw.values["at"]} == {0}
    again = read_drives(write(tmp_path / "nano.csv", (times + 1e9) * 1e9, times))
    assert len(again) == 48
    assert again.values["at"][0] == pytest.approx(1e9 + 1.6)


def test_logs_that_cannot_be_read_say_what_they_need(tmp_path: Path) -> None:
    with pytest.raises(EmptyDataError, match=r"2\.6 s"):
        read_drives(write(tmp_path / "log.csv", 0.05 * np.arange(40), np.zeros(40)))
    (tmp_path / "none.csv").write_text("seconds,speed\n1,2\n")
    with pytest.raises(DataError, match="no column angle"):
        read_drives(tmp_path / "none.csv")
