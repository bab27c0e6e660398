"""What the recipes of picture networks have in common: pixels, their mean and deviation, augmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.pictures import Pictures
from servery.models.families._assembly import columns_for
from servery.models.families._augmentation import Augmentation
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import NetworkRecipe
from servery.models.recipe import Work

SAMPLED_PICTURES = 512


class PictureNetworkRecipe(NetworkRecipe):
    """A network that reads the pixels of one picture column."""

    form = "image"

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the first picture column."""
        return columns_for(dataset, frozenset({Kind.IMAGE}))[:1]

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Pictures:
        """Find size and colours of the training pictures."""
        found = Pictures.fit(examples, columns[0].name, longest_side=work.hyperparameters["longest_side"])
        encoder = self.seen(found)
        colours = "grey" if encoder.channels == 1 else "colour"
        work.progress.say("Encode", f"{encoder.width} x {encoder.height} pixels, {colours}")
        return encoder

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Decode the pictures; training pictures are changed at random, batch by batch."""
        assert isinstance(encoder, Pictures)
        augmentation = Augmentation.of(work.hyperparameters, encoder) if is_training else None
        if augmentation is None:
            return EncodedExamples(encoder.encode(rows), targets)
        return EncodedExamples(self.kept(encoder).encode(rows), targets, augmentation)

    def seen(self, found: Pictures) -> Pictures:
        """Return the size the network sees, for pictures found to be of a size."""
        return found

    def kept(self, seen: Pictures) -> Pictures:
        """Return the size in which training pictures wait for their random crops."""
        return seen

    def channel_statistics(self, examples: EncodedExamples) -> tuple[list[float], list[float]]:
        """Return mean and deviation of each channel, 0 to 255, from at most 512 pictures."""
        step = max(len(examples) // SAMPLED_PICTURES, 1)
        pixels = examples.arrays["pixels"][::step].numpy().astype(np.float64)
        means, deviations = pixels.mean(axis=(0, 2, 3)), pixels.std(axis=(0, 2, 3))
        return means.round(3).tolist(), deviations.clip(1.0).round(3).tolist()

    def picture(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> Pictures:
        """Find the size from a few pictures, for an estimate."""
        few = dataset.take(np.arange(0, len(dataset), max(len(dataset) // 16, 1)))
        column = self.columns(dataset)[0].name
        found = Pictures.fit(list(few.examples()), column, longest_side=hyperparameters["longest_side"])
        return self.seen(found)
