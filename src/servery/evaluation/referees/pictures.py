"""Judges drawn pictures: a classifier that learned the real ones looks at both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.data.dataset import Dataset
from servery.data.pixels import PictureShape, pixels_of, png_of, shape_of
from servery.evaluation.referee import Judge, Referee
from servery.metrics.pictures import COPY_DISTANCE, Moments, copies, frechet_distance
from servery.models.families._examples import EncodedExamples
from servery.models.recipe import Budget
from servery.nn.network import Network, build_network
from servery.nn.networks.picture_cnn import PictureCnn
from servery.tasks.image_generation import Drawing, ImageGeneration, in_bytes
from servery.tasks.task import Calibration, LearnableTask
from servery.training.trainer import Trainer

SEED = 20_201
LONGEST_SIDE = 32
SIDE_STEP = 4
HELD_BACK = 0.1
"""Share of the training rows that the classifier's epochs are chosen by."""
BATCH_ROWS = 64
DRAWS = 3
"""So many times a real training picture is drawn for each row, to have a distance to compare with."""
WIDTHS = (32, 64, 96)
LEARNING = {
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "weight_decay": 0.05,
    "warmup_share": 0.1,
    "gradient_clip": 0.0,
    "batch_size": 64,
    "average_decay": 0.99,
    "precision": "float32",
}
STEPS, MOST_EPOCHS = 600, 40
"""Enough for a few thousand pictures; more would only learn them by heart."""
MOST_SHIFT = 2
"""Pixels that a training picture is moved at random."""


class _Objective:
    """Cross entropy; the accuracy on rows held back chooses between epochs."""

    primary_metric = "accuracy"

    def __init__(self, held: EncodedExamples) -> None:
        self.held = held

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        return functional.cross_entropy(network(**inputs).float(), targets, label_smoothing=0.1)

    def validate(self, network: Network) -> dict[str, float]:
        device = next(network.parameters()).device
        with torch.inference_mode():
            told = network(pixels=self.held.arrays["pixels"].to(device)).argmax(dim=1).cpu()
        return {"accuracy": float((told == self.held.targets).float().mean())}


@dataclass(frozen=True)
class PictureJudge:
    """A classifier of the real training pictures, and what it saw in them.

    Attributes:
        network: The classifier.
        shape: Of the pictures it sees.
        things: The prompts it tells apart, in the order of its outputs.
        real: The training pictures, uint8, (rows, *shape).
        of_thing: The thing of each, int64, (rows,).
        features: What it saw in them, float32, (rows, features).
    """

    network: PictureCnn
    shape: PictureShape
    things: tuple[str, ...]
    real: np.ndarray
    of_thing: np.ndarray
    features: np.ndarray
    primary_metric: str = "recognised_share"
    quality_title: str = "share of pictures that a classifier of real ones takes for what was asked"

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> PictureJudgement:
        """Return what pictures are worth, drawn for the prompts of real ones that nobody learned from."""
        asked = self.asked(targets)
        drawn, held = self.seen(outputs), self.held(targets)
        features, told = self.look(drawn)
        return PictureJudgement(
            recognised=(told == asked).astype(np.float64),
            is_copy=(copies(drawn / 255.0, self.real / 255.0)[1] <= COPY_DISTANCE).astype(np.float64),
            drawn=features,
            held=self.look(held)[0],
            real=[self.features[rows] for rows in self.real_rows(asked)],
        )

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return whether each picture is taken for what was asked, 0 or 1, (rows,)."""
        return np.asarray(self.look(self.seen(outputs))[1] == self.asked(targets), np.float64)

    def asked(self, targets: np.ndarray) -> np.ndarray:
        """Return the thing of each real picture, -1 for one that was never learned, int64, (rows,)."""
        places = {thing: place for place, thing in enumerate(self.things)}
        return np.array([places.get(drawing.prompt, -1) for drawing in targets], np.int64)

    def held(self, targets: np.ndarray) -> np.ndarray:
        """Return real pictures as the classifier sees them, uint8, (rows, *shape)."""
        return _pixels(targets, self.shape)

    def seen(self, outputs: np.ndarray) -> np.ndarray:
        """Return drawn pictures as they are answered and as the classifier sees them, uint8, (rows, *shape)."""
        return np.stack([pixels_of(png_of(row), self.shape) for row in in_bytes(outputs)])

    def look(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return features, float32, (rows, features), and what each picture is taken for, int64, (rows,)."""
        return look(self.network, pixels)

    def real_rows(self, asked: np.ndarray) -> list[np.ndarray]:
        """Draw a training row of the same thing for each row, several times: what a perfect copier would draw."""
        chance = np.random.default_rng(SEED)
        rows = [np.flatnonzero(self.of_thing == thing) for thing in range(len(self.things))]
        every = np.arange(len(self.of_thing))
        return [
            np.array([chance.choice(rows[thing] if thing >= 0 else every) for thing in asked.tolist()])
            for _ in range(DRAWS)
        ]

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of its weights: equal ones judge alike."""
        digest = hashlib.sha256()
        for name, weight in sorted(self.network.state_dict().items()):
            digest.update(name.encode() + weight.numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class PictureJudgement:
    """Drawn pictures beside real ones that nobody learned from, a row each.

    `frechet_multiple` is the distance between drawn and held-out pictures, divided by that between training pictures
    of the same prompts and the held-out ones: 1 is as far from new real pictures as other real ones are.

    Attributes:
        recognised: Whether it is taken for what was asked, (rows,).
        is_copy: Whether a training picture is nearly the same, (rows,).
        drawn: Features of the drawn ones, (rows, features).
        held: Features of the held-out ones, likewise.
        real: Features of training pictures of the same prompts, several draws of them.
    """

    recognised: np.ndarray
    is_copy: np.ndarray
    drawn: np.ndarray
    held: np.ndarray
    real: Sequence[np.ndarray] = field(default_factory=list)

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows; distances only of rows that all differ, at least three.

        A resample repeats rows, which moves both distances up by different shares: an interval of them would not
        hold the value itself.
        """
        found = {"recognised_share": self.primary(rows), "copy_share": float(self.is_copy[rows].mean())}
        if len(np.unique(rows)) < max(len(rows), 3):
            return found
        held = Moments.of(self.held[rows])
        distance = frechet_distance(Moments.of(self.drawn[rows]), held)
        between = np.mean([frechet_distance(Moments.of(real[rows]), held) for real in self.real])
        return found | {
            "frechet_multiple": distance / max(float(between), 1e-9),
            "frechet_distance": distance,
        }

    def primary(self, rows: np.ndarray) -> float:
        """Return the share that is taken for what was asked."""
        return float(self.recognised[rows].mean())


def look(network: PictureCnn, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features before the last layer, means over the picture, and the best label of each picture."""
    features, labels = [], []
    with torch.inference_mode():
        for start in range(0, len(pixels), BATCH_ROWS):
            batch = torch.from_numpy(pixels[start : start + BATCH_ROWS])
            seen = network.layers(network.normalise(batch))  # (rows, channels, height, width)
            means = seen.mean(dim=(2, 3))
            features.append(means.numpy())
            pooled = torch.cat([means, seen.amax(dim=(2, 3))], dim=1)
            labels.append(network.head(pooled).argmax(dim=1).numpy())
    return np.concatenate(features), np.concatenate(labels)


class PictureReferee(Referee):
    """A small residual network of fixed size, trained for a fixed number of steps with a fixed seed.

    Source: Heusel et al. (2017), GANs trained by a two time-scale update rule, section 2.1, where the classifier is
    one of photographs.
    """

    def accepts(self, task: LearnableTask) -> bool:
        """Whether pictures are drawn."""
        return isinstance(task, ImageGeneration)

    def learned(self, task: LearnableTask, train: Dataset) -> Judge:
        """Train the classifier on the real training pictures."""
        drawings = task.encode_targets(train, ())
        shape = shape_of([drawing.picture for drawing in drawings], LONGEST_SIDE, SIDE_STEP)
        things = tuple(sorted({drawing.prompt for drawing in drawings}))
        places = {thing: place for place, thing in enumerate(things)}
        of_thing = np.array([places[drawing.prompt] for drawing in drawings], np.int64)
        pixels = _pixels(drawings, shape)
        network = _classifier(pixels, len(things))
        _train(network, pixels, of_thing)
        features, _ = look(network, pixels)
        return PictureJudge(network, shape, things, pixels, of_thing, features)


def _classifier(pixels: np.ndarray, things: int) -> PictureCnn:
    deviations = pixels.std(axis=(0, 2, 3)).clip(1.0)
    arguments = {
        "channels": pixels.shape[1],
        "means": pixels.mean(axis=(0, 2, 3)).round(3).tolist(),
        "deviations": deviations.round(3).tolist(),
        "widths": list(WIDTHS),
        "depth": 1,
        "shrink": 2,
        "labels": things,
        "dropout": 0.2,
        "block_dropout": 0.05,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = build_network(PictureCnn.name, arguments)
    assert isinstance(network, PictureCnn)
    return network


def _train(network: PictureCnn, pixels: np.ndarray, of_thing: np.ndarray) -> None:
    rows = np.random.default_rng(SEED).permutation(len(pixels))
    held, kept = np.split(rows, [max(int(HELD_BACK * len(rows)), 1)])
    if not len(kept):
        kept = held
    epochs = round(STEPS * BATCH_ROWS / max(len(kept), BATCH_ROWS))
    learning = {**LEARNING, "epochs": int(np.clip(epochs, 1, MOST_EPOCHS))}
    examples = EncodedExamples({"pixels": pixels[kept]}, of_thing[kept], _moved)
    objective = _Objective(EncodedExamples({"pixels": pixels[held]}, of_thing[held]))
    Trainer(None, SEED, Budget(None, torch.get_num_threads()), device="cpu").fit(
        network, examples, objective, learning
    )
    network.eval()


def _moved(inputs: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Return pictures moved by up to two pixels; what comes in repeats the edge."""
    pixels = inputs["pixels"].float()
    padded = functional.pad(pixels, [MOST_SHIFT] * 4, mode="replicate")
    across, down = torch.randint(0, 2 * MOST_SHIFT + 1, (2, len(pixels)), generator=generator)
    height, width = pixels.shape[2:]
    rows = torch.arange(len(pixels))[:, None, None]
    y = (down[:, None] + torch.arange(height))[:, :, None]
    x = (across[:, None] + torch.arange(width))[:, None, :]
    return {"pixels": padded.permute(0, 2, 3, 1)[rows, y, x].permute(0, 3, 1, 2)}


def _pixels(drawings: np.ndarray | Sequence[Drawing], shape: PictureShape) -> np.ndarray:
    return np.stack([pixels_of(drawing.picture, shape) for drawing in drawings])


PICTURE_REFEREE = PictureReferee()
