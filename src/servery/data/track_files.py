"""Reads tracks, a row a position, as scenes with what came next: eight steps seen, twelve to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from servery.data.cells import name_of, numbers_of
from servery.data.dataset import BadRow
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.data.scenes import Scene, points_of
from servery.errors import DataError, EmptyDataError

SCENE, FUTURES, RECORDING = "scene", "futures", "recording"
SEEN, AHEAD = 8, 12
"""Steps of the past and of the future: the protocol of Pellegrini et al. (2009) and all who followed."""
STEP_SECONDS = 0.4
"""Of one step where a file counts frames: pedestrians are annotated 2.5 times a second there."""
BLOCK_STEPS = 150
"""A long recording is cut into blocks of so many steps, so that no two parts share a window."""
FEW = 3
"""Recordings under this number are cut into blocks."""
MOST_CELLS = 100_000_000
"""Agents times steps of one recording that are held in memory."""
_PLACES = 4
"""Decimals of a position: tenths of millimetres."""
_SPOKEN = {
    "recording": ("scene", "recording", "sequence", "video"),
    "time": ("seconds", "time", "t", "frame", "frame_id"),
    "agent": ("agent", "agent_id", "pedestrian", "track", "track_id", "id"),
    "x": ("x", "x_m"),
    "y": ("y", "y_m"),
}
_SECONDS = ("seconds", "time", "t")


def read_tracks(path: Path) -> RawTable:
    """Read a file of tracks as scenes; few recordings are cut into blocks that can be parted without an overlap.

    Raises:
        DataError: The file is missing, or has no columns that could be an agent, a time and a position.
    """
    return _read(path, has_blocks=True)


def read_whole_tracks(path: Path) -> RawTable:
    """Read a file of tracks as scenes, every window of it: of data that comes in parts."""
    return _read(path, has_blocks=False)


def _read(path: Path, has_blocks: bool) -> RawTable:
    raw = read_raw(path)
    if SCENE in raw.values and FUTURES in raw.values:
        return raw
    tracks, bad_rows, facts = _tracks(raw, path.name)
    step = STEP_SECONDS if facts else _usual_step(tracks)
    rows = list(_rows(tracks, step, has_blocks and len(tracks) < FEW))
    if not rows:
        raise EmptyDataError(
            f"{path.name} has nobody who is seen for {SEEN + AHEAD} steps on end.",
            hint="a row a position, with the columns scene, frame, agent, x and y",
        )
    scenes, futures, recordings, lines = zip(*rows, strict=True)
    values = {
        SCENE: object_array(scenes),
        FUTURES: object_array(futures),
        RECORDING: object_array(recordings),
    }
    return RawTable(values, np.array(lines, np.int64), (*raw.bad_rows, *bad_rows), {**raw.facts, **facts})


@dataclass(frozen=True)
class _Recording:
    """The positions of one recording in the order of time: (rows,) each, the points (rows, 2)."""

    name: str
    times: np.ndarray
    agents: np.ndarray
    points: np.ndarray
    lines: np.ndarray


def _tracks(raw: RawTable, name: str) -> tuple[list[_Recording], list[BadRow], dict[str, str]]:
    """Return the recordings, the rows that are none, and what was taken for granted."""
    found = _columns(raw.values, name)
    times, x, y = (numbers_of(raw.values[found[key]]) for key in ("time", "x", "y"))
    agents = _names(raw.values[found["agent"]])
    whole = np.full(len(raw), "recording", object)
    owners = _names(raw.values[found["recording"]]) if "recording" in found else whole
    is_torn = ~np.isfinite([times, x, y]).all(axis=0) | (agents == "") | (owners == "")
    seen: set[tuple[str, float, str]] = set()
    is_again = np.zeros(len(raw), dtype=bool)
    for row in np.flatnonzero(~is_torn):
        key = (owners[row], times[row], agents[row])
        is_again[row] = key in seen
        seen.add(key)
    bad = [
        *_bad_rows(raw, is_torn, "no agent, time or position"),
        *_bad_rows(raw, is_again, "the agent is there twice at this time; its first position counts"),
    ]
    kept = np.flatnonzero(~is_torn & ~is_again)
    kept = kept[np.argsort(times[kept], kind="stable")]
    recordings = []
    for owner in dict.fromkeys(owners[np.sort(kept)]):
        rows = kept[owners[kept] == owner]
        points = np.stack([x[rows], y[rows]], axis=1)
        recordings.append(_Recording(owner, times[rows], agents[rows], points, raw.line_numbers[rows]))
    is_in_seconds = found["time"].lower() in _SECONDS
    facts = {} if is_in_seconds else {"step": f"one step between frames is taken as {STEP_SECONDS} s"}
    return recordings, bad, facts


def _names(cells: np.ndarray) -> np.ndarray:
    return object_array([name_of(cell) or "" for cell in cells])


def _bad_rows(raw: RawTable, is_bad: np.ndarray, reason: str) -> list[BadRow]:
    return [BadRow(int(line), reason) for line in raw.line_numbers[is_bad]]


def _columns(values: Mapping[str, np.ndarray], name: str) -> dict[str, str]:
    lowered = {column.lower(): column for column in values}
    found = {
        key: next(lowered[spoken] for spoken in names if spoken in lowered)
        for key, names in _SPOKEN.items()
        if any(spoken in lowered for spoken in names)
    }
    missing = [key for key in _SPOKEN if key not in found and key != "recording"]
    if missing:
        raise DataError(
            f"{name} has no column for {', '.join(missing)}; its columns are {', '.join(values)}.",
            hint="a row a position, with the columns scene, frame, agent, x and y",
            param="data",
        )
    return found


def _usual_step(recordings: list[_Recording]) -> float:
    """Return the most common distance of two times, in their unit."""
    gaps = np.concatenate([np.diff(np.unique(recording.times)) for recording in recordings])
    if not len(gaps):
        raise EmptyDataError("All positions are of one time.", hint="agents must be seen again and again")
    steps, counts = np.unique(gaps.round(6), return_counts=True)
    return float(steps[counts.argmax()])


def _rows(
    recordings: list[_Recording], step_seconds: float, has_blocks: bool
) -> Iterator[tuple[str, str, str, int]]:
    """Yield scene, futures, recording and line of every window in which somebody is seen to its end."""
    step = _usual_step(recordings)
    for recording in recordings:
        names, points, lines = _on_grid(recording, step)
        for start in range(points.shape[1] - SEEN - AHEAD + 1):
            block, last = start // BLOCK_STEPS, (start + SEEN + AHEAD - 1) // BLOCK_STEPS
            if has_blocks and block != last:
                continue
            now = start + SEEN - 1
            is_here = np.isfinite(points[:, now, 0])
            window = points[is_here, start : start + SEEN + AHEAD]
            is_whole = np.asarray(np.isfinite(window[:, :, 0]).all(axis=1))
            if is_whole.any():
                scene = Scene(step_seconds, tuple(names[is_here].tolist()), window[:, :SEEN])
                name = f"{recording.name} {block}" if has_blocks else recording.name
                yield str(scene), _futures(window[:, SEEN:], is_whole), name, int(lines[now])


def _on_grid(recording: _Recording, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the agents, their points, (agents, steps, 2), NaN where unseen, and the first line of each step."""
    places = np.round((recording.times - recording.times[0]) / step).astype(np.int64)
    names, owners = np.unique(recording.agents.astype(str), return_inverse=True)
    steps = int(places[-1]) + 1
    if steps * len(names) > MOST_CELLS:
        raise DataError(
            f"The recording {recording.name!r} has {len(names):,} agents over {steps:,} steps.",
            hint="give its stretches names of their own in the column scene",
            param="data",
        )
    points = np.full((len(names), steps, 2), np.nan)
    points[owners, places] = recording.points.round(_PLACES)
    lines = np.full(steps, recording.lines[0])
    lines[places[::-1]] = recording.lines[::-1]
    return names, points, lines


def _futures(ahead: np.ndarray, is_whole: np.ndarray) -> str:
    tracks = [points_of(track) if whole else None for track, whole in zip(ahead, is_whole, strict=True)]
    return orjson.dumps(tracks).decode()
