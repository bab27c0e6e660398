"""Trajectory prediction: where will each agent of a scene be, step by step, and how sure is that?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.scenes import EMPTY, Scene, scene_of, track_of
from servery.errors import DataError, InputError
from servery.metrics.intervals import (
    LEAST_COVERAGE,
    MOST_COVERAGE,
    PROMISED,
    conformal_margins,
    margin_at,
)
from servery.tasks.task import Answer, Calibration, LearnableTask, Parameters
from servery.tasks.tracks import TrackJudgement, farthest, guesses_of

NEAR_METRES = 2.0
"""A mean distance from which a track is worth nothing as `quality`."""
UNUSUAL = 1.5
"""So many times the largest speed of the training tracks is not what a model knows."""
Point = tuple[float, float]


class TrajectoryParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        num_modes: Keeps that many modes, the likeliest; null keeps all.
        horizon_steps: Answers that many steps ahead; null all that the model learned.
        coverage: Share of tracks that are to stay within the radius all the way.
    """

    num_modes: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    horizon_steps: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    coverage: Annotated[float, msgspec.Meta(ge=LEAST_COVERAGE, le=MOST_COVERAGE)] = PROMISED


class Mode(msgspec.Struct, frozen=True):
    """One way an agent may go, and how likely it is among the modes."""

    probability: float
    positions_m: tuple[Point, ...]


class AgentTrack(msgspec.Struct, frozen=True):
    """Where one agent will be.

    Attributes:
        agent_id: As the request called it.
        positions_m: The best single guess, a position a step; empty for an agent that is not seen now.
        radius_m: Around each position, such that the share `coverage` of tracks stays within all the way; empty where
            the model was never held against held-out tracks.
        modes: Ways it may go, the likeliest first.
        seen_steps: Positions that were known of it.
        speed_ratio: Its largest speed in units of the largest that the model learned from.
    """

    agent_id: str
    positions_m: tuple[Point, ...]
    radius_m: tuple[float, ...]
    modes: tuple[Mode, ...]
    seen_steps: int
    speed_ratio: float


class TrajectoryAnswer(Answer, frozen=True):
    """The agents in the order of the request; steps are as long as its own, the first one is one step from now."""

    agents: tuple[AgentTrack, ...]
    step_seconds: float
    coverage: float


class TrajectoryPrediction(LearnableTask):
    """Positions of the coming steps, an agent.

    `outputs` are float32, (rows, agents, 1 + modes, 1 + 2 * steps): of each agent the best guess, then the modes; a
    line is a number and then x and y of each step, metres from where the agent is now. The number is a mode's logit, of
    the best guess the agent's speed in units of the largest learned from. Agents beyond a row's own are padding.
    `targets` are objects, (rows,), each float64, (agents, 2 + steps, 2): where the agent is now, its last step, and
    where it went from there; NaN where that is not known.
    """

    name = "trajectory-prediction"
    title = {"en": "Trajectory prediction", "zh": "轨迹预测"}
    summary = "Where will each agent of a scene be, step by step?"
    primary_metric = "skill"
    quality_title = f"nearness of the tracks, 1 on them, 0 from a mean of {NEAR_METRES:g} m on"
    unit = "agents"
    parameters = TrajectoryParameters
    answer = TrajectoryAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target is tracks."""
        return target.kind is Kind.TRACKS

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return where each agent is, its last step and where it went.

        Raises:
            DataError: There is no scene, or a track is none, or they differ in length.
        """
        column = next((c.name for c in dataset.inputs if c.kind is Kind.SCENE), None)
        if column is None:
            raise DataError("Tracks need a column of scenes, and there is none.", param="data")
        encoded = np.empty(len(dataset), object)
        rows = zip(dataset.line_numbers, dataset[column], dataset[dataset.target.name], strict=True)
        steps = 0
        for row, (line, cell, futures) in enumerate(rows):
            try:
                scene = EMPTY if cell is None else scene_of(cell)
                encoded[row] = _target(scene, futures, steps)
            except (InputError, ValueError) as error:
                raise DataError(f"Line {line}: {error}", param="target") from error
            steps = encoded[row].shape[1] - 2
        return encoded

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return tracks from where each agent is now; `completed` moves them to their places."""
        asked = parameters if isinstance(parameters, TrajectoryParameters) else TrajectoryParameters()
        return [
            TrajectoryAnswer(
                tuple(_agent(str(place), lines, calibration, asked) for place, lines in enumerate(row)),
                1.0,
                asked.coverage,
            )
            for row in outputs
        ]

    def completed(self, answers: Sequence[Answer], examples: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return the tracks where the agents are, by the names that the scenes give them."""
        pairs = zip(answers, examples, strict=True)
        return [_placed(a, _scene_in(example)) for a, example in pairs if isinstance(a, TrajectoryAnswer)]

    def notices(self, answers: Sequence[Answer]) -> dict[str, str]:
        """Say which agents were answered on thin grounds, or not at all."""
        agents = [agent for a in answers if isinstance(a, TrajectoryAnswer) for agent in a.agents]
        told = {
            "one_position": (
                [agent for agent in agents if agent.seen_steps == 1 and agent.positions_m],
                "is known from one position alone: its speed and direction are not known",
            ),
            "not_seen_now": (
                [agent for agent in agents if not agent.positions_m],
                "is not seen at the last step, so that nothing is said of it",
            ),
            "faster_than_learned": (
                [agent for agent in agents if agent.speed_ratio > UNUSUAL],
                "moves faster than any the model learned from; are these metres and seconds?",
            ),
        }
        return {code: f"{_named(found)} {words}." for code, (found, words) in told.items() if found}

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> TrackJudgement:
        """Sum every row's errors once, for any choice of rows."""
        return TrackJudgement.of(targets, outputs, calibration)

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return displacement errors in metres, misses and collisions."""
        return self.judge(targets, outputs, calibration).measure(np.arange(len(targets)))

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit the radii: an agent's largest distance from its best guess, a step ahead.

        Source: Stankeviciute, Alaa, van der Schaar (2021), Conformal time-series forecasting, section 3 (the whole
        horizon at once; here by radii that grow with the steps).
        """
        distances = [farthest(target, row) for target, row in zip(targets, outputs, strict=True)]
        return Calibration(fitted_on=len(targets), margins=conformal_margins(np.concatenate(distances)))

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return agents that stand still: what is left without their past."""
        agents, steps = max(len(target) for target in targets), targets[0].shape[1] - 2
        return np.zeros((rows, max(agents, 1), 1, 1 + 2 * steps), np.float32)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return one minus the mean distance of a scene's tracks, in `NEAR_METRES`, at least 0, (rows,)."""
        sums = self.judge(targets, outputs, calibration).sums
        return np.asarray(np.clip(1.0 - sums[:, 1] / np.maximum(sums[:, 0], 1) / NEAR_METRES, 0.0, 1.0))

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "trajectory-prediction"; the Hub has no task of this kind."""
        return "trajectory-prediction"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return the agents of one scene, or a list of them for several."""
        rows = [
            [msgspec.to_builtins(agent) for agent in a.agents]
            for a in answers
            if isinstance(a, TrajectoryAnswer)
        ]
        return rows if is_batch else rows[0]

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Count the agents."""
        return sum(len(a.agents) for a in answers if isinstance(a, TrajectoryAnswer))

    def most_units(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Count the agents of the scenes."""
        return sum(len(_scene_in(example).agents) for example in examples)


def _target(scene: Scene, futures: Any, steps: int) -> np.ndarray:
    agents = len(scene.agents)
    if not isinstance(futures, list) or len(futures) != agents:
        raise ValueError(f"expected a list of {agents} tracks, one an agent, null where one is not followed.")
    tracks = [None if future is None else track_of(future) for future in futures]
    lengths = {len(track) for track in tracks if track is not None} | ({steps} - {0})
    if len(lengths) != 1 or not min(lengths):
        raise ValueError(f"tracks of {sorted(lengths)} positions; all must have the same number.")
    target = np.full((agents, 2 + lengths.pop(), 2), np.nan)
    target[:, 0] = scene.positions[:, -1]
    if scene.positions.shape[1] > 1:
        target[:, 1] = scene.positions[:, -1] - scene.positions[:, -2]
    target[:, 1] = np.where(np.isfinite(target[:, 0]), np.nan_to_num(target[:, 1]), np.nan)
    for place, track in enumerate(tracks):
        if track is not None:
            target[place, 2:] = track - target[place, 0]
    return target


def _agent(name: str, lines: np.ndarray, calibration: Calibration, asked: TrajectoryParameters) -> AgentTrack:
    guesses = guesses_of(lines[None])[0, :, : asked.horizon_steps]  # (1 + modes, steps, 2)
    logits = np.sort(lines[1:, 0].astype(np.float64))[::-1]
    chances = np.exp(logits - logits.max(initial=-np.inf)) if len(logits) else logits
    kept = len(chances) if asked.num_modes is None else min(asked.num_modes, len(chances))
    margin = margin_at(calibration.margins, asked.coverage) if calibration.margins else None
    return AgentTrack(
        name,
        _points(guesses[0]),
        () if margin is None else tuple((margin * np.arange(1, guesses.shape[1] + 1)).tolist()),
        tuple(
            Mode(float(chance), _points(track))
            for chance, track in zip((chances / max(chances.sum(), 1e-300))[:kept], guesses[1:], strict=False)
        ),
        0,
        float(lines[0, 0]),
    )


def _placed(answer: TrajectoryAnswer, scene: Scene) -> TrajectoryAnswer:
    agents = []
    for name, track, found in zip(scene.agents, scene.positions, answer.agents, strict=False):
        now, seen = track[-1], int(np.isfinite(track[:, 0]).sum())
        if not np.isfinite(now[0]):
            agents.append(AgentTrack(name, (), (), (), seen, found.speed_ratio))
            continue
        modes = tuple(Mode(mode.probability, _moved(mode.positions_m, now)) for mode in found.modes)
        best = _moved(found.positions_m, now)
        agents.append(AgentTrack(name, best, found.radius_m, modes, seen, found.speed_ratio))
    return TrajectoryAnswer(tuple(agents), scene.step_seconds, answer.coverage)


def _points(track: np.ndarray) -> tuple[Point, ...]:
    return tuple((x, y) for x, y in track.tolist())


def _moved(points: Sequence[Point], now: np.ndarray) -> tuple[Point, ...]:
    return _points((np.array(points).reshape(-1, 2) + now).round(4))


def _scene_in(example: Mapping[str, Any]) -> Scene:
    """Return the scene of an example, its only value."""
    value = next(iter(example.values()))
    return EMPTY if value is None else scene_of(value)


def _named(agents: Sequence[AgentTrack]) -> str:
    names = ", ".join(agent.agent_id for agent in agents[:5])
    return f"Agent {names}" if len(agents) == 1 else f"Of {len(agents)} agents ({names}) each"


TRAJECTORY_PREDICTION = TrajectoryPrediction()
