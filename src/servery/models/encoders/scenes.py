"""Scenes as arrays: positions of the last steps around their middle, and which of them were seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.scenes import EMPTY, MOST_STEPS, Scene, scene_of
from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder

SAME_STEP = 0.01
"""Share by which a scene's step may differ from the model's."""


class Scenes(Encoder):
    """`positions`, float32, (rows, agents, steps, 2), in metres, 0 where unseen; `seen`, 1 or 0, (rows, agents, steps).

    Args:
        column: Name of the column.
        steps: Steps that are read, the last is now.
        step_seconds: Between two steps.
    """

    name = "scenes"

    def __init__(self, column: str, steps: int, step_seconds: float) -> None:
        self.column, self.steps, self.step_seconds = column, steps, step_seconds

    @classmethod
    def fit(cls, scenes: Sequence[Scene], column: str) -> Scenes:
        """Find how many steps are seen at most, and how long one is."""
        steps = max((scene.positions.shape[1] for scene in scenes), default=1)
        return cls(column, steps, float(np.median([scene.step_seconds for scene in scenes])))

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the arrays; a missing scene has nobody in it.

        Raises:
            InputError: It is no scene, or its steps are of another length than the model's.
        """
        scenes = [self._scene(example[self.column]) for example in examples]
        agents = max(1, *(len(scene.agents) for scene in scenes))
        positions = np.zeros((len(scenes), agents, self.steps, 2), np.float32)
        seen = np.zeros((len(scenes), agents, self.steps), np.float32)
        for row, scene in enumerate(scenes):
            tracks = scene.positions[:, -self.steps :]
            is_seen = np.isfinite(tracks[:, :, 0])
            if is_seen.any():
                # Around the middle, so that 32 bits hold centimetres anywhere on Earth.
                middle = tracks[is_seen].mean(axis=0)
                first = self.steps - tracks.shape[1]
                positions[row, : len(tracks), first:] = np.where(is_seen[:, :, None], tracks - middle, 0.0)
                seen[row, : len(tracks), first:] = is_seen
        return {"positions": positions, "seen": seen}

    def _scene(self, value: Any) -> Scene:
        if value is None:
            return EMPTY
        try:
            scene = scene_of(value)
        except InputError as error:
            error.param = f"/{self.column}"
            raise
        if abs(scene.step_seconds / self.step_seconds - 1) > SAME_STEP:
            raise InputError(
                f"A step of this scene is {scene.step_seconds:g} s; the model learned {self.step_seconds:g} s.",
                hint=f'send "step_seconds": {self.step_seconds:g}, and "times_s" beside the positions of each agent',
                param=f"/{self.column}",
            )
        return scene

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the length of each scene's text: it grows with its agents."""
        return [len(str(example[self.column] or "")) for example in examples]

    def state(self) -> dict[str, Any]:
        """Return the column and the steps."""
        return {"column": self.column, "steps": self.steps, "step_seconds": self.step_seconds}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Scenes:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            steps, step_seconds = int(state["steps"]), float(state["step_seconds"])
            if not (1 <= steps <= MOST_STEPS and 0 < step_seconds < float("inf")):
                raise ValueError(f"{steps} steps of {step_seconds} s")
            return cls(str(state["column"]), steps, step_seconds)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'scenes' is torn: {error!r}.") from error
