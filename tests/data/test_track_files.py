"""Files of tracks become scenes with futures; agents come and go, frames jump, rows are there twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest

from servery.data.building import build_dataset
from servery.data.scenes import scene_of
from servery.data.splits import split
from servery.data.track_files import AHEAD, SEEN, read_tracks, read_whole_tracks
from servery.errors import DataError, EmptyDataError

LENGTH = SEEN + AHEAD


def write(path: Path, rows: Sequence[tuple[object, ...]], head: str = "scene,frame,agent,x,y") -> Path:
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def walk(scene: str, agent: str, first: int, last: int, y: float = 0.0) -> list[tuple[object, ...]]:
    return [(scene, 10 * step, agent, 0.5 * step, y) for step in range(first, last)]


def test_a_window_holds_who_is_there_now_and_follows_who_stays(tmp_path: Path) -> None:
    rows = (
        walk("s", "ann", 0, LENGTH)
        + walk("s", "new", SEEN - 1, LENGTH, 3)
        + walk("s", "gone", 0, SEEN - 1, 6)
    )
    table = read_whole_tracks(write(tmp_path / "tracks.csv", rows))
    [cell], [futures] = table.values["scene"], table.values["futures"]
    scene = scene_of(cell)
    assert scene.agents == ("ann", "new")
    assert scene.step_seconds == 0.4
    assert np.isfinite(scene.positions[:, :, 0]).sum(axis=1).tolist() == [SEEN, 1]
    ann, new = orjson.loads(futures)
    assert len(ann) == AHEAD
    assert ann[0] == [0.5 * SEEN, 0.0]
    assert new is None
    assert "0.4 s" in table.facts["step"]


def test_rows_out_of_order_are_sorted_and_what_is_there_twice_or_torn_is_told(tmp_path: Path) -> None:
    rows = walk("s", "ann", 0, LENGTH)[::-1]
    extra = [("s", 10, "ann", 99, 99), ("s", 20, "ann", "?", 1)]
    table = read_whole_tracks(write(tmp_path / "tracks.csv", [*rows, *extra]))
    assert scene_of(table.values["scene"][0]).positions[0, :, 0].tolist() == [0.5 * n for n in range(SEEN)]
    assert [bad.line for bad in table.bad_rows] == [LENGTH + 3, LENGTH + 2]


def test_a_step_in_seconds_is_kept(tmp_path: Path) -> None:
    rows = [(0.2 * n, 7, n, 0) for n in range(LENGTH)]
    table = read_whole_tracks(write(tmp_path / "tracks.csv", rows, "seconds,track_id,x,y"))
    assert scene_of(table.values["scene"][0]).step_seconds == pytest.approx(0.2)


def test_one_long_recording_is_cut_into_blocks_so_that_no_two_parts_share_a_window(tmp_path: Path) -> None:
    rows = [row for n in range(8) for row in walk("s", f"a{n}", 110 * n, 110 * n + 120, y=n)]
    raw = read_tracks(write(tmp_path / "tracks.csv", rows))
    kinds = {"scene": "scene", "futures": "tracks", "recording": "identifier"}
    dataset = build_dataset(raw, "tracks", target="futures", kinds=kinds, roles={"recording": "group"})
    parts = split(dataset)
    assert parts.policy == "group"
    points = []
    for part in parts.parts.values():
        tracks = [future for cell in part["futures"] for future in cell if future]
        points.append({tuple(point) for track in tracks for point in track})
    assert not points[0] & points[2]
    assert not points[1] & points[2]
    assert len(raw) < len(read_whole_tracks(tmp_path / "tracks.csv"))


def test_files_without_tracks_say_what_they_need(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column for agent"):
        read_tracks(write(tmp_path / "a.csv", [(1, 2, 3)], "frame,x,y"))
    with pytest.raises(EmptyDataError, match="20 steps"):
        read_tracks(write(tmp_path / "b.csv", walk("s", "ann", 0, LENGTH - 1)))
    far = [(0, "a", 0, 0), (1, "a", 0, 0), (2, "a", 0, 0), (2e8, "b", 0, 0)]
    with pytest.raises(DataError, match="over 200,000,001 steps"):
        read_tracks(write(tmp_path / "far.csv", far, "seconds,agent,x,y"))
    with pytest.raises(EmptyDataError, match="one time"):
        read_tracks(write(tmp_path / "c.csv", [("s", 0, "a", 0, 0), ("s", 0, "b", 1, 1)]))
