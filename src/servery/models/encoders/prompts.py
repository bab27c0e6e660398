"""Prompts for models that draw one of a few things: the words pick which, the seed makes the noise."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder

_WORD = re.compile(r"\w+")


class Prompts(Encoder):
    """The one thing that a prompt names, and seeded noise for the decoder of a generative model.

    Args:
        column: Name of the column of prompts; an example may carry "seed", "width" and "height" besides.
        things: What can be drawn, a word each, in the order of the model's classes.
        noise_size: Numbers of noise a picture.
        width: Pixels of the model's pictures.
        height: Pixels of the model's pictures.
    """

    name = "prompts"

    def __init__(self, column: str, things: Sequence[str], noise_size: int, width: int, height: int) -> None:
        self.column = column
        self.things = tuple(things)
        self.noise_size = noise_size
        self.width = width
        self.height = height

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `thing`, int64, (rows,), and `noise`, standard normal float32, (rows, noise_size).

        Raises:
            InputError: A prompt names none or several of the things, or a size that the model does not draw.
        """
        things = np.array([self._thing(example) for example in examples], np.int64)
        noise = np.stack([self._noise(example) for example in examples])
        return {"thing": things, "noise": noise}

    def _thing(self, example: Mapping[str, Any]) -> int:
        width, height = example.get("width") or self.width, example.get("height") or self.height
        if (width, height) != (self.width, self.height):
            raise InputError(
                f"A picture of {width} x {height} was asked for; this model draws {self.width} x {self.height}.",
                hint="leave the size out",
                param="size",
            )
        words = {word.lower() for word in _WORD.findall(str(example.get(self.column)))}
        named = [place for place, thing in enumerate(self.things) if words & {thing, f"{thing}s"}]
        if len(named) == 1:
            return named[0]
        found = " and ".join(repr(self.things[place]) for place in named) or "none of them"
        raise InputError(
            f"This model draws one of: {', '.join(self.things)}. The prompt names {found}.", param=self.column
        )

    def _noise(self, example: Mapping[str, Any]) -> np.ndarray:
        seed = example.get("seed")
        generator = np.random.default_rng(secrets.randbits(63) if seed is None else seed)
        return generator.standard_normal(self.noise_size, dtype=np.float32)

    def state(self) -> dict[str, Any]:
        """Return the things and the sizes."""
        return {
            "column": self.column,
            "things": list(self.things),
            "noise_size": self.noise_size,
            "width": self.width,
            "height": self.height,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Prompts:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            sizes = [int(state[key]) for key in ("noise_size", "width", "height")]
            things = [str(thing) for thing in state["things"]]
            if min(sizes) < 1 or not things:
                raise ValueError(f"sizes {sizes} and {len(things)} things")
            return cls(str(state["column"]), things, *sizes)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'prompts' is torn: {error!r}.") from error
