"""What the recipes that learn to draw have in common: prompts to things, pictures to pixels, a loss to watch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.pixels import PictureShape, pixels_of, shape_of
from servery.errors import DataError
from servery.models.encoder import Encoder
from servery.models.encoders.prompts import Prompts
from servery.models.families._assembly import columns_for
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import TRAINING, NetworkRecipe
from servery.models.recipe import Work
from servery.tasks.image_generation import IMAGE_GENERATION, Drawing

MOST_THINGS = 1000
"""Of more different prompts hardly one is seen twice, and a network of categories learns none of them."""
SIDE_STEP = 8
"""The networks halve a picture three times."""
WATCHED = "negative_loss"
"""What decides between epochs: the loss on validation rows, with its sign turned."""

DRAWING: Mapping[str, Any] = {
    **{name: value for name, value in TRAINING.items() if name not in ("label_smoothing", "class_weights")},
    "weight_decay": 0.0,
    "precision": "native",
    "longest_side": 32,
    "flip": False,
}
"""Defaults of every recipe that draws; `flip` learns from mirrored pictures too."""


class DrawingRecipe(NetworkRecipe):
    """A network that is told a category by number and draws small pictures."""

    form = "text"
    tasks = frozenset({IMAGE_GENERATION.name})
    draws_in_steps: ClassVar[bool]

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the first column of texts."""
        return columns_for(dataset, frozenset({Kind.TEXT}))[:1]

    def shape(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> PictureShape:
        """Return channels, height and width of what is drawn."""
        pictures = list(dataset[dataset.target.name])
        return shape_of(pictures, hyperparameters["longest_side"], SIDE_STEP)

    @abstractmethod
    def noise(self, shape: PictureShape, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the shape of the noise that a picture is drawn from."""

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Prompts:
        """Take the different prompts for the things that can be drawn."""
        name = columns[0].name
        things = sorted({str(example[name]) for example in examples if example[name]})
        if not things or len(things) > MOST_THINGS:
            raise DataError(
                f"The column {name!r} has {len(things):,} different prompts; "
                f"this recipe learns 1 to {MOST_THINGS:,} categories.",
                hint="name a column of categories, e.g. --role COLUMN=input",
                param="data",
            )
        shape = self.shape(work.train, work.hyperparameters)
        channels, height, width = shape
        kind = {1: "grey", 3: "colour", 4: "colour and transparency"}[channels]
        work.progress.say("Encode", f"{len(things):,} categories; {width} x {height} pixels, {kind}")
        noise = self.noise(shape, work.hyperparameters)
        return Prompts(name, things, noise, width, height, self.draws_in_steps)

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Decode the pictures; rows of validation whose category was never learned are left out."""
        assert isinstance(encoder, Prompts)
        places = {thing: place for place, thing in enumerate(encoder.things)}
        drawings: list[Drawing] = [drawing for drawing in targets if drawing.prompt in places]
        things = np.array([places[drawing.prompt] for drawing in drawings], np.int64)
        shape = self.shape(work.train, work.hyperparameters)
        pixels = np.stack([pixels_of(drawing.picture, shape) for drawing in drawings])
        if is_training and work.hyperparameters["flip"]:
            things, pixels = np.concatenate([things, things]), np.concatenate([pixels, pixels[..., ::-1]])
        return self.noised(work, encoder, pixels, things, is_training)

    @abstractmethod
    def noised(
        self, work: Work, encoder: Prompts, pixels: np.ndarray, things: np.ndarray, is_training: bool
    ) -> EncodedExamples:
        """Return pictures with the noise that the network learns from.

        Args:
            work: What is learned.
            encoder: What can be drawn.
            pixels: uint8, (rows, channels, height, width).
            things: int64, (rows,).
            is_training: Whether they are learned from, or looked at between epochs.
        """
