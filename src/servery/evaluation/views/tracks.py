"""Where agents were said to go and where they went, drawn from above, and how errors grow with the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from servery.data.columns import Kind
from servery.data.scenes import scene_of
from servery.evaluation.figure import Figure, Key
from servery.evaluation.figures import ACCENT, CHANCE, INK, SOFT, draw
from servery.evaluation.view import Case, View
from servery.metrics.trajectories import track_errors
from servery.tasks.task import LearnableTask
from servery.tasks.tracks import followed, guesses_of
from servery.tasks.trajectory_prediction import TrajectoryPrediction

MOST_SCENES = 4
MOST_DRAWN = 12
"""Agents of one scene that are drawn."""
MOST_MODES = 20
TRUTH_DASHES = (4.0, 2.0)
MARGIN_METRES = 1.5

Track = tuple[tuple[float, float], ...]


class DrawnAgent(msgspec.Struct, frozen=True):
    """One agent from above, metres: seen, went (empty where not followed), said, and the modes."""

    seen: Track
    went: Track
    said: Track
    modes: tuple[Track, ...]


class DrawnScene(msgspec.Struct, frozen=True):
    """A test scene: its line, the mean distance of its tracks, and its agents."""

    line: int
    ade: float
    agents: tuple[DrawnAgent, ...]


class Horizon(msgspec.Struct, frozen=True):
    """Mean distances in metres so many seconds ahead: of the model, of the nearest of 20, of going straight on."""

    seconds: float
    best_guess: float
    best_of_20: float
    constant_velocity: float


class Seen(msgspec.Struct, frozen=True):
    """What the view found."""

    horizons: tuple[Horizon, ...]
    scenes: tuple[DrawnScene, ...]
    rows: int


class TracksView(View):
    """Errors over the horizon, and scenes from the best told to the worst."""

    name = "tracks"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task is trajectory prediction."""
        return isinstance(task, TrajectoryPrediction)

    def look(self, case: Case) -> Seen:
        """Measure every step, and keep some scenes, evenly spread from the best told to the worst."""
        column = next(c.name for c in case.test.inputs if c.kind is Kind.SCENE)
        quality = case.task.quality(case.targets, case.outputs, case.predictor.calibration)
        order = np.argsort(-quality, kind="stable")
        order = order[[bool(followed(case.targets[row]).any()) for row in order]]
        chosen = order[np.linspace(0, len(order) - 1, min(MOST_SCENES, len(order))).round().astype(int)]
        cells = [cell for cell in case.test[column][:1] if cell is not None]
        step_seconds = scene_of(cells[0]).step_seconds if cells else 1.0
        return Seen(
            _horizons(case.targets, case.outputs, step_seconds),
            tuple(_drawn(case, column, int(row)) for row in chosen),
            len(order),
        )

    def figures(self, found: Any) -> list[Figure]:
        """Return the curve and the scenes."""
        seen = msgspec.convert(found, Seen)
        return [_curve(seen.horizons), _scenes(seen)] if seen.horizons else []


def _horizons(targets: np.ndarray, outputs: np.ndarray, step_seconds: float) -> tuple[Horizon, ...]:
    parts = []
    for target, row in zip(targets, outputs, strict=True):
        judged = followed(target)
        if judged.any():
            truth, guesses = target[judged, 2:], guesses_of(row[: len(target)])[judged]
            errors = track_errors(truth, guesses, target[judged, 1])
            apart = np.sqrt(((guesses[:, :20] - truth[:, None]) ** 2).sum(axis=3)).min(axis=1)
            parts.append(np.stack([errors.steps, apart, errors.steady], axis=2))
    if not parts:
        return ()
    means = np.concatenate(parts).mean(axis=0)  # (steps, 3)
    return tuple(
        Horizon(round((step + 1) * step_seconds, 6), *mean) for step, mean in enumerate(means.tolist())
    )


def _drawn(case: Case, column: str, row: int) -> DrawnScene:
    target, scene = case.targets[row], scene_of(case.test[column][row])
    guesses, judged = guesses_of(case.outputs[row][: len(target)]), followed(target)
    errors = track_errors(target[judged, 2:], guesses[judged], target[judged, 1])
    here = np.flatnonzero(np.isfinite(target[:, 0, 0]))
    here = here[np.argsort(~judged[here], kind="stable")][:MOST_DRAWN]
    agents = []
    for place in here.tolist():
        now, past = target[place, 0], scene.positions[place]
        went = now + np.vstack([np.zeros(2), target[place, 2:]]) if judged[place] else np.zeros((0, 2))
        said = [now + np.vstack([np.zeros(2), guess]) for guess in guesses[place, : 1 + MOST_MODES]]
        past = past[np.isfinite(past[:, 0])]
        agents.append(DrawnAgent(_track(past), _track(went), _track(said[0]), tuple(map(_track, said[1:]))))
    return DrawnScene(int(case.test.line_numbers[row]), float(errors.steps.mean()), tuple(agents))


def _track(points: np.ndarray) -> Track:
    return tuple((x, y) for x, y in points.round(2).tolist())


def _curve(horizons: Sequence[Horizon]) -> Figure:
    seconds = [horizon.seconds for horizon in horizons]

    def paint(axes: Any) -> None:
        axes.plot(seconds, [h.constant_velocity for h in horizons], color=SOFT, dashes=CHANCE, linewidth=1)
        axes.plot(seconds, [h.best_of_20 for h in horizons], color=INK, dashes=TRUTH_DASHES, linewidth=1.4)
        axes.plot(seconds, [h.best_guess for h in horizons], "o-", color=ACCENT, markersize=3)
        axes.set_xlabel("seconds ahead")
        axes.set_ylabel("mean distance in metres")
        axes.set_ylim(bottom=0)

    last = horizons[-1]
    return Figure(
        "How errors grow with the horizon",
        f"{last.seconds:g} s ahead the best guess is {last.best_guess:.2f} m off on average; agents that go on as "
        f"they went are {last.constant_velocity:.2f} m off.",
        draw(paint, 5.2, 3.4, "horizon"),
        ("Seconds", "Best guess", "Nearest of 20", "Constant velocity"),
        tuple(
            (f"{h.seconds:g}", f"{h.best_guess:.3f}", f"{h.best_of_20:.3f}", f"{h.constant_velocity:.3f}")
            for h in horizons
        ),
        (
            Key("best guess"),
            Key("nearest of 20", "ink", TRUTH_DASHES),
            Key("constant velocity", "soft", CHANCE),
        ),
    )


def _scenes(seen: Seen) -> Figure:
    worst = seen.scenes[-1]
    return Figure(
        "Tracks from above",
        f"{len(seen.scenes)} of {seen.rows:,} test scenes, evenly spread from the best told to the worst, line "
        f"{worst.line} with a mean distance of {worst.ade:.2f} m; at most {MOST_DRAWN} agents each. The dot is now.",
        "".join(_picture(scene, place) for place, scene in enumerate(seen.scenes)),
        ("Line", "Agents drawn", "Mean distance in metres"),
        tuple((f"{scene.line}", f"{len(scene.agents)}", f"{scene.ade:.3f}") for scene in seen.scenes),
        (Key("said"), Key("seen, then where it went", "ink", TRUTH_DASHES), Key("modes", "soft")),
    )


def _picture(scene: DrawnScene, place: int) -> str:
    ends = np.array(
        [p for agent in scene.agents for track in (agent.seen, agent.went, agent.said) for p in track]
    )
    middle, half = (ends.max(axis=0) + ends.min(axis=0)) / 2, np.ptp(ends, axis=0).max() / 2 + MARGIN_METRES

    def paint(axes: Any) -> None:
        for agent in scene.agents:
            for mode in agent.modes:
                axes.plot(*zip(*mode, strict=True), color=SOFT, linewidth=0.7, alpha=0.6)
            axes.plot(*zip(*agent.seen, strict=True), color=INK, linewidth=1.4)
            if agent.went:
                axes.plot(*zip(*agent.went, strict=True), color=INK, dashes=TRUTH_DASHES, linewidth=1.2)
            axes.plot(*zip(*agent.said, strict=True), color=ACCENT, linewidth=1.6)
            axes.plot(*agent.said[0], "o", color=INK, markersize=3)
        axes.set_xlim(middle[0] - half, middle[0] + half)
        axes.set_ylim(middle[1] - half, middle[1] + half)
        axes.set_aspect("equal")
        axes.set_xlabel(f"metres (line {scene.line})")

    return draw(paint, 4.2, 4.2, f"tracks-{place}")


TRACKS = TracksView()
