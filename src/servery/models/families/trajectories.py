"""Recipes that tell where agents go: on as they went, a recurrent network, one that looks at the neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.scenes import EMPTY, scene_of
from servery.models.encoder import Encoder
from servery.models.encoders.scenes import Scenes
from servery.models.families._assembly import assemble, columns_for
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.families._track_examples import TrackExamples
from servery.models.families._track_objective import TrackObjective
from servery.models.recipe import Cost, Made, Objective, Recipe, Work
from servery.models.runtimes.constant_velocity import ConstantVelocity

FORM, TASKS = "scene", frozenset({"trajectory-prediction"})
SECONDS_PER_SCENE = 0.002


def column_of(dataset: Dataset) -> tuple[Column, ...]:
    """Return the column of scenes."""
    return columns_for(dataset, frozenset({Kind.SCENE}))[:1]


def fitted(column: str, examples: Sequence[Mapping[str, Any]]) -> Scenes:
    """Return the encoder of these scenes."""
    cells = [example[column] for example in examples]
    return Scenes.fit([scene_of(cell) for cell in cells if cell is not None] or [EMPTY], column)


def lengths_of(positions: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the lengths of all steps that were seen, metres, (steps,); one of 1 where there is none.

    Args:
        positions: (rows, agents, steps, 2).
        seen: (rows, agents, steps).
    """
    known = (seen[:, :, 1:] * seen[:, :, :-1]) > 0
    lengths = np.sqrt((np.diff(positions, axis=2) ** 2).sum(axis=3))[known]
    return lengths if len(lengths) and lengths.max() > 0 else np.ones(1)


class ConstantVelocityRecipe(Recipe):
    """Nothing but the last step, and how far people turn and hasten."""

    name = "constant-velocity"
    title = "Constant velocity"
    summary = (
        "Every agent goes on as in its last step; modes turn and hasten as the training tracks did "
        "(Schoeller et al. 2020, What the constant velocity model can teach us, sections III and IV.D)."
    )
    form, tasks = FORM, TASKS
    defaults = {"modes": 20}
    search_space = {"modes": (0, 6, 20)}
    can_stop_early = False

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the scenes, which are only read."""
        rows = len(dataset)
        return Cost(0.2 + SECONDS_PER_SCENE * rows, 100 * 2**20 + 50_000 * rows, f"{rows:,} rows are read")

    def make(self, work: Work) -> Made:
        """Find how the training tracks depart from going straight on."""
        columns = column_of(work.train)
        examples = list(work.train.examples())
        encoder = fitted(columns[0].name, examples)
        batch = encoder.encode(examples)
        targets = work.task.encode_targets(work.train, ())
        fastest = float(lengths_of(batch["positions"], batch["seen"]).max())
        runtime = ConstantVelocity.fit(targets, work.hyperparameters["modes"], fastest, work.seed)
        return Made(assemble(work, self.name, columns, (), encoder, runtime, "a few lines of numpy"))


class TrackRecipe(NetworkRecipe):
    """A recurrent network over each agent's own frame."""

    form, tasks = FORM, TASKS
    network = "track_forecaster"
    largest_batch = 16
    smallest_batch = 16
    least_epochs = 12
    most_epochs = 60
    least_steps = 2600
    multiplications_per_second = 20e9

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the column of scenes."""
        return column_of(dataset)

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Scenes:
        """Find how much of the past is seen."""
        encoder = fitted(columns[0].name, examples)
        work.progress.say("Encode", f"{encoder.steps} steps of {encoder.step_seconds:g} s")
        return encoder

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> TrackExamples:
        """Encode the scenes; training scenes are changed at random, batch by batch."""
        return TrackExamples(
            encoder.encode(rows), targets, work.hyperparameters["shaking"] if is_training else 0.0
        )

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return sizes, and how long steps are."""
        assert isinstance(encoder, Scenes)
        assert isinstance(examples, TrackExamples)
        lengths = lengths_of(examples.arrays["positions"].numpy(), examples.arrays["seen"].numpy())
        given = work.hyperparameters
        return {
            "steps": encoder.steps,
            "horizon": examples.futures.shape[2],
            "hidden_size": given["hidden_size"],
            "has_neighbours": given["heads"] > 0,
            "heads": given["heads"],
            "modes": given["modes"],
            "scale": round(float(np.median(lengths[lengths > 0])), 4),
            "fastest": round(float(lengths.max()), 4),
            "dropout": given["dropout"],
        }

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the distance of the best guess and of the nearest mode."""
        assert isinstance(validation, TrackExamples)
        return TrackObjective(work.task, validation)

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the recurrent steps of each agent, and its looks at every other one."""
        few = dataset.take(np.arange(0, len(dataset), max(len(dataset) // 32, 1)))
        cells = [cell for cell in few[self.columns(dataset)[0].name] if cell is not None]
        agents = float(np.mean([len(scene_of(cell).agents) for cell in cells])) if cells else 1.0
        hidden, modes = hyperparameters["hidden_size"], hyperparameters["modes"]
        an_agent = 30 * 12 * hidden**2 + 4 * hidden * modes * 24
        looks = 4 * hidden**2 * agents if hyperparameters["heads"] else 0
        reason = f"{agents:.0f} agents each"
        weights = 20 * hidden**2 + 4 * hidden * modes * 24
        return NetworkSize(agents * (an_agent + looks), weights, 400 * agents, reason)


TRACK_TRAINING: Mapping[str, Any] = {
    **{name: value for name, value in TRAINING.items() if name not in ("label_smoothing", "class_weights")},
    "learning_rate": 2e-3,
    "hidden_size": 64,
    "heads": 0,
    "modes": 0,
    "dropout": 0.1,
    "shaking": 0.1,
}


class LstmForecaster(TrackRecipe):
    """Each agent by itself."""

    name = "lstm"
    title = "LSTM encoder and decoder"
    summary = (
        "One LSTM reads an agent's moves in its own frame, another writes the coming ones; it knows of nobody else "
        "(Sutskever et al. 2014, section 2; Alahi et al. 2016, Social LSTM, section 3.1, as its baseline)."
    )
    defaults = TRACK_TRAINING
    search_space = {"learning_rate": (1e-3, 2e-3), "hidden_size": (32, 64, 128), "shaking": (0.0, 0.1, 0.2)}


class SocialAttention(TrackRecipe):
    """Neighbours, and several futures."""

    name = "social-attention"
    title = "LSTM with attention to neighbours and several modes"
    summary = (
        "The LSTM forecaster with attention over the neighbours, and twenty modes of which the nearest learns "
        "(Vemula et al. 2018, section III; Gupta et al. 2018, section 3.3; Cui et al. 2019, section III.B)."
    )
    defaults = {**TRACK_TRAINING, "heads": 4, "modes": 20}
    search_space = {
        "learning_rate": (1e-3, 2e-3),
        "hidden_size": (32, 64, 128),
        "modes": (6, 20),
        "shaking": (0.0, 0.1, 0.2),
    }


CONSTANT_VELOCITY = ConstantVelocityRecipe()
LSTM_FORECASTER = LstmForecaster()
SOCIAL_ATTENTION = SocialAttention()
