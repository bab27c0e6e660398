"""Pictures drawn in steps from noise: a network in any runtime says where to go, numpy goes there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servery.errors import ArtifactError, NonFiniteError, UnknownNameError
from servery.models.encoder import Batch
from servery.models.growing import GrowingRuntime, Growth
from servery.models.noise_paths import find_path
from servery.models.picture_growth import PictureGrowth
from servery.models.runtime import Runtime, find_runtime
from servery.tasks.growing import Piece
from servery.tasks.image_generation import ImageParameters
from servery.tasks.task import Parameters

ROWS_AT_ONCE = 16
"""Pictures that pass the network together; more would only leave the processor's caches."""


class Sampler(GrowingRuntime):
    """A network called once or twice a step.

    Each step goes to a later time and looks again from there; where it would have gone is the mean of the two.

    Sources: Karras et al. (2022), Elucidating the design space of diffusion-based generative models, section 3
    (steps of second order); Ho, Salimans (2022), Classifier-free diffusion guidance, equation 6.

    Args:
        network: Takes `noisy`, `time` and `category`; see `nn.networks.denoising_unet`.
        path: Name of the way from noise to picture.
        nothing: The category that stands for none.
        steps: Where nobody asks for another number.
        guidance: Likewise.
    """

    name = "sampler"

    def __init__(self, network: Runtime, path: str, nothing: int, steps: int, guidance: float) -> None:
        self.network = network
        self.path = find_path(path)
        self.nothing = nothing
        self.steps = steps
        self.guidance = guidance

    def run(self, batch: Batch) -> np.ndarray:
        """Return pictures drawn with the model's own steps, float32 from 0 to 1, (rows, channels, height, width)."""
        growths = self._begun(batch, ImageParameters())
        while not growths[0].is_done:
            self._stepped(growths)
        return np.stack([growth.picture for growth in growths])

    def begin(self, batch: Batch, parameters: Parameters) -> PictureGrowth:
        """Return a picture that is about to be drawn."""
        asked = parameters if isinstance(parameters, ImageParameters) else ImageParameters()
        return self._begun(batch, asked)[0]

    def _begun(self, batch: Batch, asked: ImageParameters) -> list[PictureGrowth]:
        guidance = self.guidance if asked.guidance_scale is None else asked.guidance_scale
        steps = asked.all_steps or self.steps
        return [
            PictureGrowth(noise, int(thing), steps, guidance, asked.previews)
            for noise, thing in zip(batch["noise"], batch["thing"], strict=True)
        ]

    def step(self, growths: Sequence[Growth]) -> list[Piece | Exception | None]:
        """Take a step of each picture; they may stand at different ones."""
        drawn = [growth for growth in growths if isinstance(growth, PictureGrowth)]
        times = _beside_pixels([growth.time for growth in drawn])
        nexts = _beside_pixels([growth.next_time for growth in drawn])
        seen = np.stack([growth.seen for growth in drawn])
        first = self._pictures(drawn, seen, times)
        moved = self.path.stepped(seen, first, times, nexts)
        going = [place for place, growth in enumerate(drawn) if growth.next_time < 1]
        pictures = first
        if going:
            again = self._pictures([drawn[place] for place in going], moved[going], nexts[going])
            pictures = first.copy()
            pictures[going] = (first[going] + again) / 2
            moved = self.path.stepped(seen, pictures, times, nexts)
        return [
            growth.grow(row, picture)
            if np.isfinite(row).all()
            else NonFiniteError("The model drew NaN or infinity.")
            for growth, row, picture in zip(drawn, moved, pictures, strict=True)
        ]

    def _pictures(self, growths: Sequence[PictureGrowth], seen: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return what each of them is expected to become, guided."""
        outputs = np.concatenate(
            [
                self._outputs(
                    growths[start : start + ROWS_AT_ONCE],
                    seen[start : start + ROWS_AT_ONCE],
                    times[start : start + ROWS_AT_ONCE, 0, 0, 0],
                )
                for start in range(0, len(growths), ROWS_AT_ONCE)
            ]
        )
        return self.path.picture(seen, outputs, times)

    def first_batch(self, batch: Batch) -> Batch:
        """Return what the network is given first for these pictures: to export it, and to measure it."""
        return {
            "noisy": batch["noise"],
            "time": np.zeros(len(batch["thing"]), np.float32),
            "category": batch["thing"],
        }

    def _outputs(self, growths: Sequence[PictureGrowth], seen: np.ndarray, times: np.ndarray) -> np.ndarray:
        things = np.array([growth.thing for growth in growths], np.int64)
        guidances = np.array([growth.guidance for growth in growths], np.float32)
        guided = np.flatnonzero(guidances != 1)
        outputs = self.network.run(
            {
                "noisy": np.concatenate([seen, seen[guided]]).astype(np.float32),
                "time": np.concatenate([times, times[guided]]),
                "category": np.concatenate([things, np.full(len(guided), self.nothing)]),
            }
        )
        told, untold = outputs[: len(growths)], outputs[len(growths) :]
        told[guided] = untold + _beside_pixels(guidances[guided]) * (told[guided] - untold)
        return told

    def end(self, growths: Sequence[Growth]) -> None:
        """Nothing is held for them."""

    def save(self, folder: Path) -> None:
        """Write the network's weights."""
        self.network.save(folder)

    def options(self) -> dict[str, Any]:
        """Return the network's runtime and how it is stepped."""
        return {
            "network": self.network.name,
            "network_options": self.network.options(),
            "path": self.path.name,
            "nothing": self.nothing,
            "steps": self.steps,
            "guidance": self.guidance,
        }

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Sampler:
        """Read the network's weights.

        Raises:
            ArtifactError: The weights are torn, or the options are none that this runtime wrote.
        """
        try:
            network = find_runtime(options["network"]).load(folder, options["network_options"], threads)
            return cls(
                network,
                options["path"],
                int(options["nothing"]),
                int(options["steps"]),
                float(options["guidance"]),
            )
        except (KeyError, TypeError, ValueError, UnknownNameError) as error:
            raise ArtifactError(f"The sampler in {folder.name} cannot be read: {error!r}.") from error

    def with_network(self, network: Runtime) -> Sampler:
        """Return the same sampler around the same network in another runtime."""
        return Sampler(network, self.path.name, self.nothing, self.steps, self.guidance)


def _beside_pixels(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return a number a picture, to be multiplied with its pixels, float32, (rows, 1, 1, 1)."""
    return np.asarray(values, np.float32)[:, None, None, None]


RUNTIME = Sampler
