"""Scenes: where agents were, step by step, up to now; how they are written as JSON and read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from servery.errors import InputError

MOST_AGENTS = 256
MOST_STEPS = 128
"""Positions of one agent; older ones are left out of a resampled track, longer lists are refused."""
LEAST_STEP_SECONDS, MOST_STEP_SECONDS = 0.001, 60.0
FARTHEST = 1e8
"""Metres from the origin: farther than around the Earth is no place."""
FASTEST = 1000.0
"""Metres a second: nothing on a road or a pavement is; positions are then pixels, centimetres or degrees."""
_SCENE_KEYS, _AGENT_KEYS = ("step_seconds", "agents"), ("agent_id", "positions_m", "times_s")
_HINT = '{"step_seconds": 0.4, "agents": [{"agent_id": "a1", "positions_m": [[0.0, 0.0], [0.5, 0.1]]}]}'


@dataclass(frozen=True)
class Scene:
    """Agents at equal steps of time; the last step is now.

    Attributes:
        step_seconds: From one step to the next.
        agents: Name of each agent.
        positions: Metres, NaN where an agent was not seen, float64, (agents, steps, 2).
    """

    step_seconds: float
    agents: tuple[str, ...]
    positions: np.ndarray

    def __str__(self) -> str:
        """Return the scene as JSON; steps before an agent was first seen are left out."""
        agents = [
            {"agent_id": name, "positions_m": points_of(track[_first_seen(track) :])}
            for name, track in zip(self.agents, self.positions, strict=True)
        ]
        return orjson.dumps({"step_seconds": self.step_seconds, "agents": agents}).decode()


EMPTY = Scene(1.0, (), np.zeros((0, 1, 2)))
"""Nobody is there."""


def scene_of(value: Any) -> Scene:
    """Read a scene as JSON text or as the object it spells.

    An agent's positions end now; null is a step at which it was not seen, and one that came later has fewer. With
    `times_s`, increasing seconds beside the positions, they are brought to equal steps that end at the latest of all.

    Raises:
        InputError: Something is missing, is no number, or cannot be; `param` is a JSON pointer into the scene.
    """
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise InputError(f"The scene is no JSON: {error}.", hint=_HINT, param="") from error
    _check_keys(value, _SCENE_KEYS, _SCENE_KEYS, "")
    step = _number(value["step_seconds"], "/step_seconds", LEAST_STEP_SECONDS, MOST_STEP_SECONDS)
    entries = value["agents"]
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_AGENTS:
        raise InputError(f"Expected a list of 1 to {MOST_AGENTS} agents.", hint=_HINT, param="/agents")
    names = tuple(_name(entry, place) for place, entry in enumerate(entries))
    twice = next((place for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise InputError(f"Two agents are called {names[twice]!r:.60}.", param=f"/agents/{twice}/agent_id")
    tracks = [_points(entry["positions_m"], f"/agents/{n}/positions_m") for n, entry in enumerate(entries)]
    if any("times_s" in entry for entry in entries):
        tracks = _resampled(tracks, entries, step)
    scene = Scene(step, names, _joined(tracks))
    _check_speeds(scene)
    return scene


def points_of(track: np.ndarray) -> list[list[float] | None]:
    """Return positions, (steps, 2), as JSON has them: null for NaN.

    >>> points_of(np.array([[0.0, 1.0], [np.nan, np.nan]]))
    [[0.0, 1.0], None]
    """
    return [None if x != x or y != y else [x, y] for x, y in track.tolist()]


def track_of(points: Sequence[Any]) -> np.ndarray:
    """Return points as JSON has them as positions, float64, (steps, 2).

    Raises:
        ValueError: A point is neither null nor two numbers.
    """
    unseen = [float("nan"), float("nan")]
    track = np.array([unseen if point is None else point for point in points], np.float64)
    if track.shape != (len(points), 2):
        raise ValueError(f"positions of the shape {track.shape}")
    return track


def _first_seen(track: np.ndarray) -> int:
    return int(np.isfinite(track[:, 0]).argmax())


def _check_keys(value: Any, known: Sequence[str], needed: Sequence[str], pointer: str) -> None:
    if not isinstance(value, dict):
        raise InputError(f"Expected an object, got {type(value).__name__}.", hint=_HINT, param=pointer)
    missing = [name for name in needed if name not in value]
    unknown = [str(name) for name in value if name not in known]
    if missing:
        raise InputError(f"Missing: {', '.join(missing)}.", hint=_HINT, param=f"{pointer}/{missing[0]}")
    if unknown:
        raise InputError(
            f"Unknown: {unknown[0]!r:.60}; known are {', '.join(known)}.", hint=_HINT, param=pointer
        )


def _name(entry: Any, place: int) -> str:
    pointer = f"/agents/{place}"
    _check_keys(entry, _AGENT_KEYS, ("positions_m",), pointer)
    name = entry.get("agent_id", str(place))
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        raise InputError("Expected a name of 1 to 100 characters.", param=f"{pointer}/agent_id")
    return name


def _number(value: Any, pointer: str, least: float, most: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise InputError(f"Expected a number from {least:g} to {most:g}, got {value!r:.40}.", param=pointer)
    return float(value)


def _points(points: Any, pointer: str) -> np.ndarray:
    if not isinstance(points, list) or not 1 <= len(points) <= MOST_STEPS:
        raise InputError(f"Expected a list of 1 to {MOST_STEPS} positions.", hint=_HINT, param=pointer)
    for place, point in enumerate(points):
        if point is None:
            continue
        if not isinstance(point, list) or len(point) != 2:
            raise InputError(
                "Expected two numbers [x, y], or null where the agent was not seen.",
                param=f"{pointer}/{place}",
            )
        for axis, number in enumerate(point):
            _number(number, f"{pointer}/{place}/{axis}", -FARTHEST, FARTHEST)
    if all(point is None for point in points):
        raise InputError("An agent needs one position at least.", param=pointer)
    return track_of(points)


def _joined(tracks: Sequence[np.ndarray]) -> np.ndarray:
    """Return tracks that end together as one array, (agents, steps, 2)."""
    positions = np.full((len(tracks), max(map(len, tracks)), 2), np.nan)
    for place, track in enumerate(tracks):
        positions[place, positions.shape[1] - len(track) :] = track
    return positions


def _resampled(tracks: Sequence[np.ndarray], entries: Sequence[Any], step: float) -> list[np.ndarray]:
    times = [
        _times(entry, len(track), n) for n, (entry, track) in enumerate(zip(entries, tracks, strict=True))
    ]
    now = max(float(stamps[-1]) for stamps in times)
    count = min(int((now - min(float(stamps[0]) for stamps in times)) / step + 1e-6) + 1, MOST_STEPS)
    grid = now - step * np.arange(count)[::-1]
    brought = []
    for track, stamps in zip(tracks, times, strict=True):
        seen = np.isfinite(track[:, 0])
        first, last = stamps[seen][0], stamps[seen][-1]
        # Sensors do not tick together: who was seen half a step ago is still there.
        is_there = (grid >= first - 1e-6) & (grid <= last + step / 2 + 1e-6)
        on_grid = np.stack([np.interp(grid, stamps[seen], track[seen, axis]) for axis in (0, 1)], axis=1)
        brought.append(np.where(is_there[:, None], on_grid, np.nan))
    return brought


def _times(entry: Any, count: int, place: int) -> np.ndarray:
    pointer = f"/agents/{place}/times_s"
    times = entry.get("times_s")
    if not isinstance(times, list) or len(times) != count:
        raise InputError(f"Expected {count} times, one for each position, of every agent.", param=pointer)
    read = [_number(time, f"{pointer}/{n}", -1e12, 1e12) for n, time in enumerate(times)]
    for n in range(1, count):
        if read[n] <= read[n - 1]:
            fault = "is there twice" if read[n] == read[n - 1] else "goes backwards"
            raise InputError(
                f"The time {read[n]:g} {fault}.",
                hint="send positions in the order of time, one a time",
                param=f"{pointer}/{n}",
            )
    return np.array(read)


def _check_speeds(scene: Scene) -> None:
    fastest = speeds_of(scene).max(initial=0.0)
    if fastest > FASTEST:
        raise InputError(
            f"An agent moves {fastest:,.0f} m/s.",
            hint="send positions in metres and seconds",
            param="/agents",
        )


def speeds_of(scene: Scene) -> np.ndarray:
    """Return the largest speed of each agent between two steps, metres a second, (agents,); 0 where none is known."""
    steps = np.diff(scene.positions, axis=1)
    speeds = np.sqrt((steps**2).sum(axis=2)) / scene.step_seconds  # (agents, steps - 1)
    return np.asarray(np.nan_to_num(speeds).max(axis=1, initial=0.0))
